/**
 * The clock port in virtual time: it moves only when a test moves it, so hours pass in milliseconds and a
 * timer fires exactly when it is due. `soon` is the event loop's own: it takes no time.
 */
import type { Clock, Timer } from "../../src/ports/clock.ts";

interface Pending {
  readonly due: number;
  readonly callback: () => void;
}

/** Parts of a millisecond in which timers are set. */
const fractions = 1_024;

export class VirtualClock implements Clock {
  #monotonic = 1_000;
  #wall = Date.UTC(2026, 0, 1);
  /** In the order in which they were set. */
  readonly #timers = new Set<Pending>();
  #soons = 0;

  monotonic(): number {
    return this.#monotonic;
  }

  /** Whole milliseconds, as everybody's wall clock gives them. */
  wall(): number {
    return Math.floor(this.#wall);
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    // A fraction that sums of steps reach exactly: a remainder too small to be added would never pass.
    const due = Math.ceil((this.#monotonic + delayMs) * fractions) / fractions;
    const timer = { due, callback };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  soon(callback: () => void): void {
    this.#soons += 1;
    setImmediate(() => {
      this.#soons -= 1;
      callback();
    });
  }

  /** Whether a callback of `soon` is still to come. */
  get busy(): boolean {
    return this.#soons > 0;
  }

  /** How long until the next timer is due, in ms; infinite when none is set. */
  get untilNextTimerMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { due } of this.#timers) next = Math.min(next, due);
    return Math.max(0, next - this.#monotonic);
  }

  /** Moves both clocks on, as time does. No timer fires yet. */
  pass(ms: number): void {
    this.#monotonic += ms;
    this.#wall += ms;
  }

  /** The machine sleeps: the monotonic clock stands still meanwhile. Or somebody sets the wall clock. */
  jumpWall(ms: number): void {
    this.#wall += ms;
  }

  /** Fires what is due, in the order of the instants at which it was. */
  fireDue(): void {
    const due = [...this.#timers].filter((timer) => timer.due <= this.#monotonic).sort((a, b) => a.due - b.due);
    for (const timer of due) {
      // An earlier one may have taken it back.
      if (this.#timers.delete(timer)) timer.callback();
    }
  }
}
