/** Bare Fastify, with a transaction per command on SQLite. */
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fastify } from "fastify";
import type { Run } from "../bench.ts";
import { measureOverload, type OverloadServer } from "./measure.ts";
import { compute, durableCounters, holdWriteLock } from "./work.ts";

async function start(folder: string): Promise<OverloadServer> {
  const { write, database } = durableCounters(folder);
  const app = fastify();
  app.post("/compute", async () => ({ done: compute() }));
  app.post<{ Params: { key: string } }>("/counter/:key", async ({ params }) => ({ count: write(params.key) }));
  await app.listen({ host: "127.0.0.1", port: 0 });
  return {
    port: (app.server.address() as AddressInfo).port,
    paths: { compute: "/compute", critical: "/compute", write: "/counter/{key}" },
    stallStore: (ms) => holdWriteLock(join(folder, "counters.db"), ms),
    close: async () => {
      app.server.closeAllConnections();
      await app.close();
      database.close();
    },
  };
}

export const run: Run = (options) => measureOverload(start, options);
