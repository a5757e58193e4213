/** The load of a side whose partner does the work: callers in the side's process, each of which goes on when it is answered. */
import type { Detail, Measured, RunOptions } from "./bench.ts";
import { openPartner } from "./partner.ts";
import { pinApart } from "./pinning.ts";
import { processorDetailsOfTwo, processorMicroseconds } from "./processor-time.ts";
import { Window } from "./window.ts";

/** What callers do, one caller's next call when its last was answered. */
export interface Calls {
  readonly inFlight: number;
  /** What one call is, for the details. */
  readonly of: string;
  call(): Promise<void>;
  /** Throws when not every call took effect once. */
  check(): void;
  details?(): readonly Detail[];
}

/** Opens the side's partner, calls it for as long as the run lasts, and closes both. */
export async function measureCalled<Caller extends { close(): Promise<unknown> | undefined }>(
  module: string,
  connect: (address: string, options: RunOptions) => Promise<Caller>,
  options: RunOptions,
  callsOf: (caller: Caller) => Calls,
): Promise<Measured> {
  await using partner = await openPartner(module, options);
  pinApart(false, process.pid, partner.processId);
  const caller = await connect(partner.address, options);
  try {
    const calls = callsOf(caller);
    const window = new Window(options, () => ({
      own: processorMicroseconds(),
      called: partner.processorMicroseconds(),
    }));
    const callOn = async (): Promise<void> => {
      do await calls.call();
      while (window.completed());
    };
    await Promise.all(Array.from({ length: calls.inFlight }, callOn));
    calls.check();
    const { completed, perSecond, begun, ended } = window.result;
    const details = await processorDetailsOfTwo(calls.of, begun, ended, completed);
    return { value: perSecond, details: [...details, ...(calls.details?.() ?? [])] };
  } finally {
    await caller.close();
  }
}
