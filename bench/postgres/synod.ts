/** Synod: a node on its own, called as any code in its process would call it. */
import { defineSystem } from "synod";
import { createLog } from "../../src/adapters/log/pino.ts";
import { openPostgresStore } from "../../src/adapters/postgres/store.ts";
import { systemClock } from "../../src/adapters/system/clock.ts";
import { systemRandom } from "../../src/adapters/system/random.ts";
import { callThrough } from "../../src/host/caller.ts";
import { startNode } from "../../src/runtime/node.ts";
import type { Run } from "../bench.ts";
import { Counter, counter } from "../counter.ts";
import { measureOn } from "./measured-server.ts";

const system = defineSystem({ name: "bench", services: [counter] });

export const run: Run = (options) =>
  measureOn(async (url) => {
    const store = await openPostgresStore({ url, system: system.name });
    const log = createLog({ format: "text", level: "warn", name: system.name });
    const node = await startNode({ node: "node-1", system, store, clock: systemClock, random: systemRandom, log });
    const add = (key: string, id: string | undefined): Promise<{ count: number }> =>
      callThrough(node.gateway, "local", Counter, [key, id === undefined ? {} : { id }]).add({ by: 1 });
    return {
      create: (keys) => Promise.all(keys.map((key) => add(key, undefined))),
      add,
      get commits() {
        return node.status().commits;
      },
      [Symbol.asyncDispose]: async () => {
        await node.stop(10_000);
        await store.close();
      },
    };
  }, options);
