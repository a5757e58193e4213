/** The load of the bench: callers in the side's process, each of which makes its next command when the last was answered. */
import type { Measured, RunOptions } from "../bench.ts";
import { counterKeys } from "../counter.ts";
import { type OpenPartner, openPartner } from "../partner.ts";
import { pinApart } from "../pinning.ts";
import { processorDetailsOfTwo, processorMicroseconds } from "../processor-time.ts";
import { Window } from "../window.ts";
import { durableVariant } from "./bench.ts";

/** A side's caller, connected to where the counters are. No counter has been used before. */
export interface Caller {
  /** Adds one; answers what the counter is then, when that is durable. */
  add(key: string): Promise<number>;
  /** Of a side that turns callers away when it has too much to do: how often it did since the start. */
  turnedAway?(): number;
  close(): Promise<unknown> | undefined;
}

/** Opens the side's partner, calls it for as long as the run lasts, and closes both. */
export async function measureDurable(
  module: string,
  connect: (address: string, options: RunOptions) => Promise<Caller>,
  options: RunOptions,
): Promise<Measured> {
  await using partner = await openPartner(module, options);
  pinApart(false, process.pid, partner.processId);
  const caller = await connect(partner.address, options);
  try {
    return await callFor(caller, partner, options);
  } finally {
    await caller.close();
  }
}

/** Fails when the counters do not say in the end that each command took effect once. */
async function callFor(caller: Caller, partner: OpenPartner, options: RunOptions): Promise<Measured> {
  const { counters, inFlight } = durableVariant(options.variant);
  const keys = counterKeys(counters);
  const counts = new Map(keys.map((key) => [key, 0]));
  let commands = 0;
  const window = new Window(options, () => ({ own: processorMicroseconds(), called: partner.processorMicroseconds() }));
  const call = async (): Promise<void> => {
    do {
      const key = keys[commands++ % keys.length]!;
      counts.set(key, Math.max(await caller.add(key), counts.get(key)!));
    } while (window.completed());
  };
  await Promise.all(Array.from({ length: inFlight }, call));
  const sum = [...counts.values()].reduce((total, count) => total + count, 0);
  if (sum !== commands) throw new Error(`${commands} commands were answered, and the counters say ${sum}`);
  const { completed, perSecond, begun, ended } = window.result;
  return {
    value: perSecond,
    details: [
      ...(await processorDetailsOfTwo("command", begun, ended, completed)),
      ...(caller.turnedAway ? [{ name: "turned away", unit: "commands", value: caller.turnedAway() }] : []),
    ],
  };
}
