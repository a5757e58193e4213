/** Synod: a node on its own with a SQLite file, called in its process, with its default bounds. */
import { join } from "node:path";
import { defineSystem, startSystem } from "synod";
import { leaveOthersTheirHeap } from "../../src/host/node-heap.ts";
import type { Run } from "../bench.ts";
import { Counter, counter } from "../counter.ts";
import { PatientCalls } from "../linked-node.ts";
import { measureMemory } from "./measure.ts";

const system = defineSystem({ name: "bench", services: [counter] });

export const run: Run = async (options) => {
  leaveOthersTheirHeap();
  await using node = await startSystem(system, { store: `sqlite:${join(options.folder, "bench.db")}` });
  const calls = new PatientCalls();
  return await measureMemory((key) => calls.call(() => node.to(Counter, key).add({ by: 1 })), options);
};
