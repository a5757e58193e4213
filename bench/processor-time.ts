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

/** Of a caller and of the one it calls, who is left out where nobody knows. */
export async function processorDetailsOfTwo(
  of: string,
  begun: ProcessorTimes,
  ended: ProcessorTimes,
  times: number,
): Promise<readonly Detail[]> {
  const own = { name: `processor time per ${of}, caller`, unit: "µs", value: (ended.own - begun.own) / times };
  const [from, to] = [await begun.called, await ended.called];
  if (from === undefined || to === undefined) return [own];
  return [own, { name: `processor time per ${of}, called`, unit: "µs", value: (to - from) / times }];
}

/** Readings in microseconds. */
export interface ProcessorTimes {
  readonly own: number;
  readonly called: Promise<number | undefined>;
}
