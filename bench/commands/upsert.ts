/**
 * What a service written by hand does: one transaction for each command, which reads the row, changes it and
 * writes it back; with an idempotency key it first looks for a recorded reply, and records its own.
 */
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import type { Run } from "../bench.ts";
import { Step } from "../counter.ts";
import { openDurable } from "./durable-file.ts";
import { type CounterCommands, measureCommands } from "./load.ts";

const tables = `
  CREATE TABLE counters (key TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE records (id TEXT PRIMARY KEY, input TEXT NOT NULL, reply TEXT NOT NULL) STRICT, WITHOUT ROWID;
`;

export const run: Run = async (options) => {
  const database = openDurable(join(options.folder, "upsert.db"));
  try {
    database.exec(tables);
    return await measureCommands(countersOf(database), options);
  } finally {
    database.close();
  }
};

function countersOf(database: DatabaseSync): CounterCommands {
  const begin = database.prepare("BEGIN IMMEDIATE");
  const commit = database.prepare("COMMIT");
  const recorded = database.prepare("SELECT input, reply FROM records WHERE id = ?");
  const record = database.prepare("INSERT INTO records VALUES (?, ?, ?)");
  const read = database.prepare("SELECT count FROM counters WHERE key = ?");
  const upsert = database.prepare(
    "INSERT INTO counters VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET count = excluded.count",
  );
  let commits = 0;

  const add = (key: string, input: unknown, id: string | undefined): { count: number } => {
    const { by } = Step.parse(input);
    begin.run();
    const before = id === undefined ? undefined : recorded.get(id);
    if (before !== undefined) throw new Error("no command of this bench is repeated");
    const count = Number(read.get(key)?.count ?? 0) + by;
    upsert.run(key, count);
    if (id !== undefined) record.run(id, JSON.stringify(input), JSON.stringify({ count }));
    commit.run();
    commits += 1;
    return { count };
  };

  const create = async (keys: readonly string[]): Promise<void> => {
    begin.run();
    for (const key of keys) upsert.run(key, 1);
    commit.run();
  };

  return {
    create,
    add: async (key, id) => add(key, { by: 1 }, id),
    get commits() {
      return commits;
    },
  };
}
