/** Bare Fastify, with a transaction per command on SQLite. */
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fastify } from "fastify";
import type { Run } from "../bench.ts";
import { measureOverload, type OverloadServer } from "./measure.ts";
import { compute, durableTransfers, holdWriteLock } from "./work.ts";

async function start(folder: string): Promise<OverloadServer> {
  const { transfer, database } = durableTransfers(folder);
  const app = fastify();
  app.post("/compute", async () => ({ done: compute() }));
  app.post<{ Params: { id: string } }>("/transfer/:id", async ({ params }) => ({ status: transfer(params.id) }));
  await app.listen({ host: "127.0.0.1", port: 0 });
  return {
    port: (app.server.address() as AddressInfo).port,
    paths: { compute: "/compute", critical: "/compute", transfer: "/transfer/{id}" },
    stallStore: (ms) => holdWriteLock(join(folder, "bank.db"), ms),
    close: async () => {
      app.server.closeAllConnections();
      await app.close();
      database.close();
    },
  };
}

export const run: Run = (options) => measureOverload(start, options);
