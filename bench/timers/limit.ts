/** The least: a timer of the process for each, in memory, which no crash survives. */
import type { Run } from "../bench.ts";
import { measureTimers, Rings } from "./measure.ts";

/** The longest that Node waits, ms. */
const timeoutMaxMs = 2 ** 31 - 1;

export const run: Run = async (options) => {
  const rings = new Rings();
  const timers: NodeJS.Timeout[] = [];
  const set = async (_: string, count: number, firstAt: number, stepMs: number): Promise<void> => {
    for (let index = 0; index < count; index++) {
      const at = Math.ceil(firstAt + index * stepMs);
      timers.push(setTimeout(() => rings.ring(at), Math.min(at - Date.now(), timeoutMaxMs)));
    }
  };
  try {
    return await measureTimers({ set }, rings, options);
  } finally {
    for (const timer of timers) clearTimeout(timer);
  }
};
