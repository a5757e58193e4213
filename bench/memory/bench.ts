/**
 * What entities take of a node's memory: those that are active at once, and a great number that are used in turn and
 * of which only as many stay as there is room for.
 */
import { heapFlags } from "../../src/host/node-heap.ts";
import type { Bench, Variant } from "../bench.ts";

interface MemoryVariant extends Variant {
  /** Entities for each second of the time that counts, by which this bench is made shorter or longer. */
  readonly perSecond: number;
}

const memoryVariants: readonly MemoryVariant[] = [
  { name: "active", title: "50,000 active entities per second given", perSecond: 50_000 },
  { name: "in-turn", title: "500,000 entities used in turn per second given", perSecond: 500_000 },
];

export function memoryVariant(name: string): MemoryVariant {
  const found = memoryVariants.find((variant) => variant.name === name);
  if (found === undefined) throw new Error(`the bench memory has no variant ${name}`);
  return found;
}

export const memory: Bench = {
  name: "memory",
  summary: "entities per MiB, active at once and used in turn; 100,000 and 1,000,000 of them at 2 seconds",
  unit: "entities/MiB",
  variants: memoryVariants,
  mainVariant: "active",
  // As a supervisor starts the process of a node.
  nodeFlags: heapFlags(undefined, []),
  sides: { synod: new URL("./synod.ts", import.meta.url), limit: new URL("./limit.ts", import.meta.url) },
};
