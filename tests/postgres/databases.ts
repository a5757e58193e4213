/** Stores on PostgreSQL for tests: each in a schema of its own, on the server of the run. */
import { after } from "node:test";
import { Client } from "pg";
import { openPostgresStore } from "../../src/adapters/postgres/store.ts";
import type { StoreUnderTest } from "../../src/conformance/index.ts";
import { type PostgresServer, query, startServer, system } from "./server.ts";

let own: Promise<PostgresServer> | undefined;
let databases = 0;

/** The URL of the run's server; of one that this file starts for itself when it is run alone. */
export async function serverUrl(): Promise<string> {
  const shared = process.env.SYNOD_TEST_POSTGRES;
  if (shared !== undefined) return shared;
  own ??= startServer();
  return (await own).url;
}

// Here and not where it is started: after all tests of the file, and not after the group that was the first to want it.
after(async () => await (await own)?.[Symbol.asyncDispose]());

export interface TestDatabase extends AsyncDisposable {
  readonly url: string;
  readonly schema: string;
  /** Asks as the superuser would, in that schema. */
  query(text: string): Promise<readonly Record<string, unknown>[]>;
}

/** Room for one store: a schema of a name that no other test has. It goes with its scope. */
export async function createDatabase(server?: string): Promise<TestDatabase> {
  const base = `${server ?? (await serverUrl())}/postgres`;
  const schema = `test_${process.pid}_${++databases}`;
  return {
    url: `${base}?schema=${schema}`,
    schema,
    query: async (text) => await query(base, `SET search_path = ${schema}; ${text}`),
    [Symbol.asyncDispose]: async () => void (await query(base, `DROP SCHEMA IF EXISTS ${schema} CASCADE`)),
  };
}

/** What the conformance suite works with. */
export async function createStore(): Promise<StoreUnderTest> {
  const database = await createDatabase();
  return {
    location: database.url,
    open: async () => await openPostgresStore({ url: database.url, system }),
    lock: async () => await lock(database.url, database.schema),
    remove: async () => await database[Symbol.asyncDispose](),
  };
}

/** Holds what every write has to change, until the answer is called; reads go on. */
async function lock(url: string, schema: string): Promise<() => Promise<void>> {
  const client = new Client({ connectionString: url.replace(/\?.*/, "") });
  await client.connect();
  await client.query(`BEGIN; LOCK TABLE ${schema}.members, ${schema}.shards IN EXCLUSIVE MODE`);
  return async () => await client.end();
}
