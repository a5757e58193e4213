/** The load of the bench: each command adds one to a counter, and in the end the counters are counted. */
import type { Measured, RunOptions } from "../bench.ts";
import { type Calls, measureCalled } from "../called.ts";
import { counterKeys } from "../counter.ts";
import { durableVariant } from "./bench.ts";

/** A side's caller, connected to where the counters are. No counter has been used before. */
export interface Caller {
  /** Adds one; answers what the counter is then, when that is durable. */
  add(key: string): Promise<number>;
  /** Of a side that turns callers away when it has too much to do: how often it did since the start. */
  turnedAway?(): number;
  close(): Promise<unknown> | undefined;
}

export function measureDurable(
  module: string,
  connect: (address: string, options: RunOptions) => Promise<Caller>,
  options: RunOptions,
): Promise<Measured> {
  return measureCalled(module, connect, options, (caller) => additions(caller, options.variant));
}

function additions(caller: Caller, variant: string): Calls {
  const { counters, inFlight } = durableVariant(variant);
  const keys = counterKeys(counters);
  const counts = new Map(keys.map((key) => [key, 0]));
  let commands = 0;
  return {
    inFlight,
    of: "command",
    call: async () => {
      const key = keys[commands++ % keys.length]!;
      counts.set(key, Math.max(await caller.add(key), counts.get(key)!));
    },
    check: () => {
      const sum = [...counts.values()].reduce((total, count) => total + count, 0);
      if (sum !== commands) throw new Error(`${commands} commands were answered, and the counters say ${sum}`);
    },
    details: () => (caller.turnedAway ? [{ name: "turned away", unit: "commands", value: caller.turnedAway() }] : []),
  };
}
