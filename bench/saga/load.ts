/**
 * The load of the bench: each trip books one place with each of three counters, out of a thousand, and in the end the
 * places are counted.
 */
import type { Measured, RunOptions } from "../bench.ts";
import { type Calls, measureCalled } from "../called.ts";
import { counterKeys } from "../counter.ts";
import { sagaVariant } from "./bench.ts";

export interface Trip {
  /** Of its own for each trip. */
  readonly id: string;
  /** The keys of three counters, to each of which one is added, in this order. */
  readonly stops: readonly [string, string, string];
}

/** A side's caller. */
export interface Caller {
  /** Answers what the three counters were after the trip's own additions. */
  travel(trip: Trip): Promise<readonly number[]>;
  close(): Promise<unknown> | undefined;
}

const stops = counterKeys(1_000);

export function measureSagas(
  module: string,
  connect: (address: string, options: RunOptions) => Promise<Caller>,
  options: RunOptions,
): Promise<Measured> {
  return measureCalled(module, connect, options, (caller) => travels(caller, options.variant));
}

function travels(caller: Caller, variant: string): Calls {
  const counts = new Map<string, number>();
  let trips = 0;
  return {
    inFlight: sagaVariant(variant).inFlight,
    of: "saga",
    call: async () => {
      const trip = tripOf(trips++);
      const places = await caller.travel(trip);
      for (const [index, stop] of trip.stops.entries()) {
        counts.set(stop, Math.max(places[index]!, counts.get(stop) ?? 0));
      }
    },
    check: () => {
      const sum = [...counts.values()].reduce((total, count) => total + count, 0);
      if (sum !== 3 * trips) throw new Error(`${trips} trips were answered, and the counters say ${sum} bookings`);
    },
  };
}

function tripOf(index: number): Trip {
  const stop = (n: number): string => stops[(3 * index + n) % stops.length]!;
  return { id: `trip-${index}`, stops: [stop(0), stop(1), stop(2)] };
}
