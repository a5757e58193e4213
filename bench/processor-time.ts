/**
 * Processor time of this process, all of its threads together. On a shared machine it says more than a rate
 * does: work that others do makes a rate smaller, and leaves this nearly as it is.
 */
import type { Detail } from "./bench.ts";

/** Microseconds since the process started. */
export function processorMicroseconds(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** For a piece of work that was done `times` times between two readings. */
export function processorDetail(of: string, begun: number, ended: number, times: number): Detail {
  return { name: `processor time per ${of}`, unit: "µs", value: (ended - begun) / times };
}
