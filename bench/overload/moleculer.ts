/** Moleculer with its HTTP gateway, as its documentation sets both up. */
import { join } from "node:path";
import type { Run } from "../bench.ts";
import { peer } from "../peers.ts";
import { measureOverload, type OverloadServer } from "./measure.ts";
import { compute, durableTransfers, holdWriteLock } from "./work.ts";

interface Broker {
  createService(schema: object): { readonly server: import("node:http").Server };
  start(): Promise<void>;
  stop(): Promise<void>;
}

async function start(folder: string): Promise<OverloadServer> {
  const { ServiceBroker } = await peer<{ ServiceBroker: new (options: object) => Broker }>("moleculer");
  const web = await peer<object>("moleculer-web");
  const { transfer, database } = durableTransfers(folder);
  const broker = new ServiceBroker({ logger: false });
  broker.createService({
    name: "work",
    actions: {
      compute: () => ({ done: compute() }),
      transfer: ({ params }: { params: { id: string } }) => ({ status: transfer(params.id) }),
    },
  });
  const aliases = { "POST /compute": "work.compute", "POST /transfer/:id": "work.transfer" };
  const gateway = broker.createService({
    mixins: [web],
    settings: { ip: "127.0.0.1", port: 0, routes: [{ path: "/", aliases, mappingPolicy: "restrict" }] },
  });
  await broker.start();
  return {
    port: (gateway.server.address() as import("node:net").AddressInfo).port,
    paths: { compute: "/compute", critical: "/compute", transfer: "/transfer/{id}" },
    stallStore: (ms) => holdWriteLock(join(folder, "bank.db"), ms),
    close: async () => {
      gateway.server.closeAllConnections();
      await broker.stop();
      database.close();
    },
  };
}

export const run: Run = (options) => measureOverload(start, options);
