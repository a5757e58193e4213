/** The least: a Map with an object for each counter, all of which stay. */
import type { Run } from "../bench.ts";
import { measureMemory } from "./measure.ts";

export const run: Run = async (options) => {
  const counters = new Map<string, { count: number }>();
  return await measureMemory(async (key) => {
    const counter = counters.get(key) ?? { count: 0 };
    counter.count += 1;
    counters.set(key, counter);
  }, options);
};
