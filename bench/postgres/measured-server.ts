/** A server for one run, and what it says of the run: transactions and syncs of its log. */
import { Client } from "pg";
import { startServer } from "../../tests/postgres/server.ts";
import type { Measured, RunOptions } from "../bench.ts";
import { type CounterCommands, measureCommands } from "../commands/load.ts";

interface Figures {
  readonly transactions: number;
  readonly syncs: number;
}

/** PostgreSQL 18 counts syncs of the log by who did them, older ones in one place. */
const syncsByVersion = (version: number): string =>
  version >= 18 ? "(SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal')" : "(SELECT wal_sync FROM pg_stat_wal)";

/** Opens a side on a new server, measures it, and adds what the server has counted. */
export async function measureOn(
  open: (url: string) => Promise<CounterCommands & AsyncDisposable>,
  options: RunOptions,
): Promise<Measured> {
  await using server = await startServer();
  const url = `${server.url}/postgres`;
  let commands = 0;
  let measured: Measured;
  const before = await figures(url);
  {
    await using side = await open(url);
    const counted: CounterCommands = {
      create: (keys) => {
        commands += keys.length;
        return side.create(keys);
      },
      add: (key, id) => {
        commands++;
        return side.add(key, id);
      },
      get commits() {
        return side.commits;
      },
    };
    measured = await measureCommands(counted, options);
  }
  const after = await figures(url);
  const per = (name: string, count: number) => ({ name, unit: "per command", value: count / commands });
  const details = [
    per("transactions", after.transactions - before.transactions),
    per("syncs of the log", after.syncs - before.syncs),
  ];
  return { ...measured, details: [...measured.details, ...details] };
}

async function figures(url: string): Promise<Figures> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows: versions } = await client.query(
      "SELECT current_setting('server_version_num')::integer / 10000 AS version",
    );
    const { rows } = await client.query(
      `SELECT xact_commit::float8 AS transactions, ${syncsByVersion(versions[0].version)}::float8 AS syncs
       FROM pg_stat_database WHERE datname = current_database()`,
    );
    return rows[0];
  } finally {
    await client.end();
  }
}
