/**
 * The load of the bench: callers in the side's process. Each trip books one place with each of three counters, out of a
 * thousand, and in the end the places are counted.
 */
import type { Measured, RunOptions } from "../bench.ts";
import { counterKeys } from "../counter.ts";
import { type OpenPartner, openPartner } from "../partner.ts";
import { pinApart } from "../pinning.ts";
import { processorDetailsOfTwo, processorMicroseconds } from "../processor-time.ts";
import { Window } from "../window.ts";
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

export async function measureSagas(
  module: string,
  connect: (address: string, options: RunOptions) => Promise<Caller>,
  options: RunOptions,
): Promise<Measured> {
  await using partner = await openPartner(module, options);
  pinApart(false, process.pid, partner.processId);
  const caller = await connect(partner.address, options);
  try {
    return await travelFor(caller, partner, options);
  } finally {
    await caller.close();
  }
}

/** Fails when the counters do not say in the end that each booking took effect once. */
async function travelFor(caller: Caller, partner: OpenPartner, options: RunOptions): Promise<Measured> {
  const counts = new Map<string, number>();
  let trips = 0;
  const window = new Window(options, () => ({ own: processorMicroseconds(), called: partner.processorMicroseconds() }));
  const traveller = async (): Promise<void> => {
    do {
      const trip = tripOf(trips++);
      const places = await caller.travel(trip);
      for (const [index, stop] of trip.stops.entries()) {
        counts.set(stop, Math.max(places[index]!, counts.get(stop) ?? 0));
      }
    } while (window.completed());
  };
  await Promise.all(Array.from({ length: sagaVariant(options.variant).inFlight }, traveller));
  const sum = [...counts.values()].reduce((total, count) => total + count, 0);
  if (sum !== 3 * trips) throw new Error(`${trips} trips were answered, and the counters say ${sum} bookings`);
  const { completed, perSecond, begun, ended } = window.result;
  return { value: perSecond, details: await processorDetailsOfTwo("saga", begun, ended, completed) };
}

function tripOf(index: number): Trip {
  const stop = (n: number): string => stops[(3 * index + n) % stops.length]!;
  return { id: `trip-${index}`, stops: [stop(0), stop(1), stop(2)] };
}
