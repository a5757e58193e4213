/** What a service written by hand does: one statement for each command, on a pool of connections. */
import { Pool } from "pg";
import type { Run } from "../bench.ts";
import { Step } from "../counter.ts";
import { measureOn } from "./measured-server.ts";

/** More than the server has processors, so that it can sync the commits of several together. */
const connectionsMax = 16;

export const run: Run = (options) =>
  measureOn(async (url) => {
    const pool = new Pool({ connectionString: url, max: connectionsMax });
    await pool.query("CREATE TABLE counters (key text PRIMARY KEY, count bigint NOT NULL) WITH (fillfactor = 80)");
    let commits = 0;
    const add = async (key: string): Promise<{ readonly count: number }> => {
      const { by } = Step.parse({ by: 1 });
      const { rows } = await pool.query({
        name: "add",
        text: `INSERT INTO counters VALUES ($1, $2)
          ON CONFLICT (key) DO UPDATE SET count = counters.count + excluded.count RETURNING count`,
        values: [key, by],
      });
      commits++;
      return { count: Number(rows[0].count) };
    };
    return {
      create: (keys) => Promise.all(keys.map(add)),
      add,
      get commits() {
        return commits;
      },
      [Symbol.asyncDispose]: () => pool.end(),
    };
  }, options);
