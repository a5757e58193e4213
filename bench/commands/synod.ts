/** Synod: a node on its own, called as any code in its process would call it. */
import { join } from "node:path";
import { defineSystem } from "synod";
import { createLog } from "../../src/adapters/log/pino.ts";
import { openSqliteStore } from "../../src/adapters/sqlite/store.ts";
import { systemClock } from "../../src/adapters/system/clock.ts";
import { systemRandom } from "../../src/adapters/system/random.ts";
import { callThrough } from "../../src/host/caller.ts";
import { startNode } from "../../src/runtime/node.ts";
import type { Run } from "../bench.ts";
import { Counter, counter } from "../counter.ts";
import { PatientCalls } from "../linked-node.ts";
import { type CounterCommands, measureCommands } from "./load.ts";

const system = defineSystem({ name: "bench", services: [counter] });

export const run: Run = async (options) => {
  const store = await openSqliteStore({ path: join(options.folder, "bench.db"), system: system.name });
  const log = createLog({ format: "text", level: "warn", name: system.name });
  const node = await startNode({ node: "node-1", system, store, clock: systemClock, random: systemRandom, log });
  try {
    const calls = new PatientCalls();
    const add = (key: string, id: string | undefined): Promise<{ count: number }> =>
      calls.call(() =>
        callThrough(node.gateway, "local", Counter, [key, id === undefined ? {} : { id }]).add({ by: 1 }),
      );
    const side: CounterCommands = {
      create: (keys) => Promise.all(keys.map((key) => add(key, undefined))),
      add,
      get commits() {
        return node.status().commits;
      },
    };
    return await measureCommands(side, options);
  } finally {
    await node.stop(10_000);
    await store.close();
  }
};
