/**
 * Where user code runs: on a simulated node, or beside them as the code of a scenario. Whatever code reads from its
 * surroundings (the time, chance, timers) it reads from its place, as a guest who asks what time it is hears the time
 * of the house. The place is carried by Node's asynchronous context, so that it is known behind every `await` and in
 * every callback, in modules of the user and in packages that all nodes share. Outside of every place nothing is
 * changed, even in the middle of a run.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Clock } from "../../ports/clock.ts";
import type { Prng } from "../../values/prng.ts";

export interface Place {
  /** `node-1`, `scenario`; code that asks for the name of its host hears it. */
  readonly name: string;
  /** What code hears that asks for the number of its process. */
  readonly pid: number;
  /** Time and timers. A place that is nowhere in a world has a clock that stands still. */
  readonly clock: Clock;
  readonly prng: Prng;
  /** Above 0 while modules are loaded: they may read files. */
  loads: number;
  /** Lets the world stand still until this has settled: work of the real machine whose result a seed decides. */
  hold(work: Promise<unknown>): void;
  /** Takes what the code prints. */
  print(text: string): void;
  /** Hears of what was refused, in a sentence, because the code may catch the error. */
  refused(sentence: string): void;
}

const places = new AsyncLocalStorage<Place>();

/** The place of the code that is running; undefined for code that no simulation runs. */
export function placeNow(): Place | undefined {
  return places.getStore();
}

/** Runs code at a place; what it starts stays there. */
export function runAt<T>(place: Place, run: () => T): T {
  return places.run(place, run);
}

/** The same for a place that is entered often. */
export function doorOf(place: Place): (run: () => void) => void {
  return places.run(place, () => AsyncLocalStorage.snapshot());
}

/**
 * A callback of user code in the asynchronous context of now: a user's own `AsyncLocalStorage` is there when it is
 * called, as it is in Node. The door of a place has only the stores of when its machine started.
 */
export function inContext(callback: () => void): () => void {
  return AsyncLocalStorage.bind(callback);
}

/** Calls it back at an event of the world, in the asynchronous context of now. */
export function callBack(place: Place, callback: () => void): void {
  place.clock.soon(inContext(callback));
}

/** Runs something as the simulator itself. */
export function runOutside<T>(run: () => T): T {
  return places.exit(run);
}
