/**
 * The least program that does the same work: counters are in memory, their changes are gathered, and each batch is one
 * statement of up to 500 rows. Two lanes share the counters, so that one gathers while the server works for the other.
 * There is no owner, no fence, no mailbox and no bound, and nothing could be read back.
 */
import { Client } from "pg";
import type { Run } from "../bench.ts";
import { Step } from "../counter.ts";
import { measureOn } from "./measured-server.ts";

const lanes = 2;
const rowsMax = 500;

interface Waiting {
  readonly key: string;
  readonly count: number;
  readonly resolve: (reply: { readonly count: number }) => void;
  readonly reject: (error: unknown) => void;
}

class Lane {
  commits = 0;
  readonly #client: Client;
  readonly #counters = new Map<string, number>();
  #waiting: Waiting[] = [];
  #busy = false;

  constructor(client: Client) {
    this.#client = client;
  }

  add(key: string): Promise<{ readonly count: number }> {
    const { by } = Step.parse({ by: 1 });
    const count = (this.#counters.get(key) ?? 0) + by;
    this.#counters.set(key, count);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ key, count, resolve, reject });
      if (this.#busy) return;
      this.#busy = true;
      setImmediate(() => void this.#commit());
    });
  }

  async #commit(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, rowsMax);
      this.#waiting = this.#waiting.slice(rowsMax);
      const rows = new Map(batch.map(({ key, count }) => [key, count]));
      try {
        await this.#client.query({
          name: "put",
          text: `INSERT INTO counters SELECT * FROM unnest($1::text[], $2::bigint[])
            ON CONFLICT (key) DO UPDATE SET count = excluded.count`,
          values: [[...rows.keys()], [...rows.values()]],
        });
        this.commits++;
        for (const { count, resolve } of batch) resolve({ count });
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#busy = false;
  }
}

export const run: Run = (options) =>
  measureOn(async (url) => {
    const clients = Array.from({ length: lanes }, () => new Client({ connectionString: url }));
    for (const client of clients) await client.connect();
    await clients[0]!.query(
      "CREATE TABLE counters (key text PRIMARY KEY, count bigint NOT NULL) WITH (fillfactor = 80)",
    );
    const all = clients.map((client) => new Lane(client));
    const add = (key: string): Promise<{ readonly count: number }> => all[Number(key.at(-1)) % lanes || 0]!.add(key);
    return {
      create: (keys) => Promise.all(keys.map(add)),
      add,
      get commits() {
        return all.reduce((sum, { commits }) => sum + commits, 0);
      },
      [Symbol.asyncDispose]: async () => {
        for (const client of clients) await client.end();
      },
    };
  }, options);
