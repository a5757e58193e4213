/**
 * Timers: `setTimeout` and its family, `node:timers/promises`, `AbortSignal.timeout`. At a place they are events of the
 * world on the clock of the machine; when its process ends, they end with it.
 */
import timers from "node:timers";
import timersPromises from "node:timers/promises";
import type { Timer } from "../../ports/clock.ts";
import { callBack, inContext, type Place } from "./place.ts";
import { type AnyFunction, atPlaces, type Doing, type Replacement } from "./replacement.ts";

/** Node takes what is longer for 1 ms. */
const delayMsMax = 2 ** 31 - 1;
/** Node refuses what is longer for a signal. */
const signalMsMax = 2 ** 32 - 1;

/** Timers of each place by the number that they turn into when somebody makes a number of them. */
const numbered = new WeakMap<Place, Map<number, SimulatedTimer>>();

/** What `setTimeout` and `setInterval` return: everything that Node's `Timeout` can do. */
class SimulatedTimer {
  readonly #place: Place;
  readonly #run: () => void;
  readonly #delayMs: number;
  readonly #repeats: boolean;
  #timer: Timer | null = null;
  #referenced = true;
  #number = 0;

  constructor(place: Place, callback: AnyFunction, delay: unknown, args: readonly unknown[], repeats: boolean) {
    const ms = Math.trunc(Number(delay));
    this.#place = place;
    this.#run = inContext(() => void callback(...args));
    this.#delayMs = ms >= 1 && ms <= delayMsMax ? ms : 1;
    this.#repeats = repeats;
    this.#start();
  }

  #start(): void {
    this.#timer = this.#place.clock.setTimer(this.#delayMs, () => {
      this.#timer = null;
      if (this.#repeats) this.#start();
      else this.#forget();
      this.#run();
    });
  }

  ref(): this {
    this.#referenced = true;
    return this;
  }

  unref(): this {
    this.#referenced = false;
    return this;
  }

  hasRef(): boolean {
    return this.#referenced;
  }

  refresh(): this {
    this.#timer?.cancel();
    this.#start();
    return this;
  }

  close(): this {
    this.#timer?.cancel();
    this.#timer = null;
    this.#forget();
    return this;
  }

  [Symbol.toPrimitive](): number {
    if (this.#number === 0) {
      const timers = numbered.get(this.#place) ?? new Map<number, SimulatedTimer>();
      numbered.set(this.#place, timers);
      this.#number = Math.max(0, ...timers.keys()) + 1;
      timers.set(this.#number, this);
    }
    return this.#number;
  }

  #forget(): void {
    numbered.get(this.#place)?.delete(this.#number);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** What `setImmediate` returns. */
class SimulatedImmediate {
  cleared = false;
  #referenced = true;

  constructor(place: Place, callback: AnyFunction, args: readonly unknown[]) {
    callBack(place, () => {
      if (!this.cleared) callback(...args);
    });
  }

  ref(): this {
    this.#referenced = true;
    return this;
  }

  unref(): this {
    this.#referenced = false;
    return this;
  }

  hasRef(): boolean {
    return this.#referenced;
  }

  [Symbol.dispose](): void {
    this.cleared = true;
  }
}

const start =
  (repeats: boolean): Doing =>
  (place, [callback, delay, ...args], real) =>
    typeof callback === "function"
      ? new SimulatedTimer(place, callback as AnyFunction, delay, args, repeats)
      : // Not a function: Node knows what to say.
        real();

const startImmediate: Doing = (place, [callback, ...args], real) =>
  typeof callback === "function" ? new SimulatedImmediate(place, callback as AnyFunction, args) : real();

const clear: Doing = (place, [timer], real) => {
  const isNumber = typeof timer === "number" || typeof timer === "string";
  const known = isNumber ? numbered.get(place)?.get(Number(timer)) : timer;
  if (known instanceof SimulatedTimer) known.close();
  else if (known instanceof SimulatedImmediate) known.cleared = true;
  else real();
};

interface WaitOptions {
  readonly signal?: AbortSignal;
}

/** As Node makes it. */
function abortError({ reason }: AbortSignal): Error {
  const error = new Error("The operation was aborted", { cause: reason });
  return Object.assign(error, { name: "AbortError", code: "ABORT_ERR" });
}

/** A promise of what `begin` reports, unless the signal comes first. */
function waiting<T>(value: T, options: unknown, begin: (done: () => void) => () => void): Promise<T> {
  const { signal } = (options ?? {}) as WaitOptions;
  if (signal?.aborted) return Promise.reject(abortError(signal));
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      stop();
      reject(abortError(signal!));
    };
    const stop = begin(() => {
      signal?.removeEventListener("abort", abort);
      resolve(value);
    });
    signal?.addEventListener("abort", abort, { once: true });
  });
}

function wait<T>(place: Place, delay: unknown, value: T, options: unknown): Promise<T> {
  return waiting(value, options, (done) => {
    const timer = new SimulatedTimer(place, done, delay, [], false);
    return () => timer.close();
  });
}

function turn<T>(place: Place, value: T, options?: unknown): Promise<T> {
  return waiting(value, options, (done) => {
    const immediate = new SimulatedImmediate(place, done, []);
    return () => immediate[Symbol.dispose]();
  });
}

async function* ticks(place: Place, delay: unknown, value: unknown, options: unknown): AsyncGenerator<unknown> {
  for (let due = place.clock.monotonic(); ; ) {
    const ms = Math.max(1, Number(delay) || 1);
    due += ms;
    await wait(place, Math.max(1, due - place.clock.monotonic()), undefined, options);
    yield value;
  }
}

/** `AbortSignal.timeout(ms)`. */
const timeoutSignal: Doing = (place, [ms], real) => {
  // Not so many milliseconds: Node throws, and knows best why.
  if (!Number.isInteger(ms) || Number(ms) < 0 || Number(ms) > signalMsMax) return real();
  const controller = new AbortController();
  const late = new DOMException("The operation was aborted due to timeout", "TimeoutError");
  place.clock.setTimer(
    Number(ms),
    inContext(() => controller.abort(late)),
  );
  return controller.signal;
};

const plain: Readonly<Record<string, Doing>> = {
  setTimeout: start(false),
  setInterval: start(true),
  setImmediate: startImmediate,
  clearTimeout: clear,
  clearInterval: clear,
  clearImmediate: clear,
};

const promised: Readonly<Record<string, Doing>> = {
  setTimeout: (place, [delay, value, options]) => wait(place, delay, value, options),
  setImmediate: (place, [value, options]) => turn(place, value, options),
  setInterval: (place, [delay, value, options]) => ticks(place, delay, value, options),
};

const scheduled: Readonly<Record<string, Doing>> = {
  wait: (place, [delay, options]) => wait(place, delay, undefined, options),
  yield: (place) => turn(place, undefined),
};

function all(target: object, doings: Readonly<Record<string, Doing>>): Replacement[] {
  return Object.entries(doings).map(([name, does]) => atPlaces(target, name, does));
}

/** `util.promisify(setTimeout)` needs none of its own: it gives the function of node:timers/promises. */
export function timerReplacements(): Replacement[] {
  return [
    ...all(globalThis, plain),
    ...all(timers, plain),
    ...all(timersPromises, promised),
    ...all(timersPromises.scheduler, scheduled),
    atPlaces(AbortSignal, "timeout", timeoutSignal),
  ];
}
