/** Moleculer with its HTTP gateway, as its documentation sets both up. */
import { join } from "node:path";
import type { Run } from "../bench.ts";
import { peer } from "../peers.ts";
import { measureOverload, type OverloadServer } from "./measure.ts";
import { compute, durableCounters, holdWriteLock } from "./work.ts";

interface Broker {
  createService(schema: object): { readonly server: import("node:http").Server };
  start(): Promise<void>;
  stop(): Promise<void>;
}

async function start(folder: string): Promise<OverloadServer> {
  const { ServiceBroker } = await peer<{ ServiceBroker: new (options: object) => Broker }>("moleculer");
  const web = await peer<object>("moleculer-web");
  const { write, database } = durableCounters(folder);
  const broker = new ServiceBroker({ logger: false });
  broker.createService({
    name: "work",
    actions: {
      compute: () => ({ done: compute() }),
      write: ({ params }: { params: { key: string } }) => ({ count: write(params.key) }),
    },
  });
  const aliases = { "POST /compute": "work.compute", "POST /counter/:key": "work.write" };
  const gateway = broker.createService({
    mixins: [web],
    settings: { ip: "127.0.0.1", port: 0, routes: [{ path: "/", aliases, mappingPolicy: "restrict" }] },
  });
  await broker.start();
  return {
    port: (gateway.server.address() as import("node:net").AddressInfo).port,
    paths: { compute: "/compute", critical: "/compute", write: "/counter/{key}" },
    stallStore: (ms) => holdWriteLock(join(folder, "counters.db"), ms),
    close: async () => {
      gateway.server.closeAllConnections();
      await broker.stop();
      database.close();
    },
  };
}

export const run: Run = (options) => measureOverload(start, options);
