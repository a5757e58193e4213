/** Uses each of a number of counters once, and looks at the memory of this process. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Measured, RunOptions } from "../bench.ts";
import { memoryVariant } from "./bench.ts";

/** Commands under way at a time. */
const inFlight = 256;
/** Used before anything is measured, so that what a node makes once is there. */
const firstEntities = 1_000;
const lookMs = 20;
const mebibyte = 2 ** 20;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** `add`: adds one to a counter. */
export async function measureMemory(add: (key: string) => Promise<unknown>, options: RunOptions): Promise<Measured> {
  const { perSecond } = memoryVariant(options.variant);
  const entities = Math.round((perSecond * options.measureMs) / 1_000);
  await useEach(add, "first", firstEntities);
  const before = heldBytes();
  let peakBytes = process.memoryUsage.rss();
  const watch = setInterval(() => {
    peakBytes = Math.max(peakBytes, process.memoryUsage.rss());
  }, lookMs);
  const begun = performance.now();
  await useEach(add, "counter", entities);
  const seconds = (performance.now() - begun) / 1_000;
  clearInterval(watch);
  const bytes = (heldBytes() - before) / entities;
  const inTurn = options.variant === "in-turn";
  return {
    value: inTurn ? (entities * mebibyte) / peakBytes : mebibyte / bytes,
    details: [
      { name: "entities", unit: "entities", value: entities },
      {
        name: inTurn ? "peak of the process" : "peak of the process, with garbage",
        unit: "MiB",
        value: peakBytes / mebibyte,
      },
      { name: "held per entity", unit: "bytes", value: bytes },
      { name: "rate", unit: "commands/s", value: entities / seconds },
    ],
  };
}

async function useEach(add: (key: string) => Promise<unknown>, prefix: string, entities: number): Promise<void> {
  let used = 0;
  const caller = async (): Promise<void> => {
    while (used < entities) await add(`${prefix}-${used++}`);
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
}

/** What is in use on and beside the heap, without garbage. */
function heldBytes(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
