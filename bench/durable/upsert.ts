/**
 * What a service written by hand does: an upsert for each request, on PostgreSQL, through a pool of connections. It
 * is called in the load's own process, so that no hop between a client and the service is counted against it, and a
 * repeated request would add again.
 */
import type { Run } from "../bench.ts";
import { Step } from "../counter.ts";
import type { Serve } from "../partner.ts";
import { peer } from "../peers.ts";
import { startPostgres } from "../postgres.ts";
import { measureDurable } from "./load.ts";

export interface Pool {
  query(query: { name: string; text: string; values: unknown[] }): Promise<{ rows: readonly { count: number }[] }>;
  query(text: string): Promise<unknown>;
  on(event: "error", listener: () => void): void;
  end(): Promise<void>;
}

const connections = 32;
export const countersTable = "CREATE TABLE counters (key text PRIMARY KEY, count integer NOT NULL)";
const upsert = `INSERT INTO counters VALUES ($1, $2)
  ON CONFLICT (key) DO UPDATE SET count = counters.count + excluded.count RETURNING count`;

export const serve: Serve = async ({ folder }) => {
  const { url, close } = await startPostgres(folder);
  return { address: url, elsewhere: true, close };
};

export async function openPool(url: string): Promise<Pool> {
  const { Pool } = await peer<{ Pool: new (options: object) => Pool }>("pg");
  const pool = new Pool({ connectionString: url, max: connections });
  // Idle connections hear of the server's end, which comes as soon as the pool's has been asked for. Queries reject.
  pool.on("error", () => {});
  return pool;
}

/** Answers the count after it. */
export async function upsertCounter(pool: Pool, key: string, by: number): Promise<number> {
  const { rows } = await pool.query({ name: "upsert", text: upsert, values: [key, by] });
  return rows[0]!.count;
}

export const run: Run = (options) =>
  measureDurable(
    import.meta.url,
    async (url) => {
      const pool = await openPool(url);
      await pool.query(countersTable);
      return { add: (key) => upsertCounter(pool, key, Step.parse({ by: 1 }).by), close: () => pool.end() };
    },
    options,
  );
