/**
 * How many calls may be under way at a node: so many that the store's commits are full, and not so many that they
 * wait for each other. A call is under way from the start of its handler until its answer may leave; while the handler
 * awaits a call it is not.
 *
 * The controller is the gradient of Netflix's concurrency-limits (`Gradient2Limit`,
 * https://github.com/Netflix/concurrency-limits), once per window:
 *
 *     L' = (1 - s) L + s (g L + q)      g = clamp(tolerated / wait, 0.5, 1)      s = 0.5
 *
 * Two things are different. What is measured is not the whole response time, which in a runtime with batched commits
 * grows with L although nothing is wrong, and with whatever the user's handlers wait for; it is the mean wait that
 * the node itself causes: that for the store, and what the event loop is late beyond the slice that handlers are
 * given. It is compared with what is `tolerated`: 50 ms, or three times the lowest mean of late where the store is
 * slow by nature. And L grows only while it is what holds calls back: by q = L as long as the wait is below
 * half of what is tolerated (slow start, as in TCP), so that a store that stood still for two seconds has its calls
 * back half a second later, and so that calls that wait for something else than this node soon hold nobody back; by
 * q = √L from there on.
 */
import type { LoadLimits } from "./limits.ts";

/** How much of a window's verdict is taken over. */
const smoothing = 0.5;
const gradientMin = 0.5;
/** Where the store is slow by nature, a wait of this many times its lowest mean is tolerated. */
const toleratedTimes = 3;
/** How quickly the lowest mean is forgotten, by windows: in some seconds. */
const lowestForgotten = 0.02;
/** Without any commit a window of calls under way ends after so many lengths: the store stands still. */
const stalledWindows = 4;

export class Slots {
  readonly #limits: LoadLimits;
  #limit: number;
  #taken = 0;
  /** Calls under way that wait for the store. */
  #atStore = 0;
  #windowBegan = 0;
  /** Waits for the store that ended in this window, and how long they were in all. */
  #waits = 0;
  #waitTotalMs = 0;
  /** Turns of the event loop in this window, and how late they were in all. */
  #turns = 0;
  #lateTotalMs = 0;
  /** Whether a call had to wait for a slot in this window. */
  #wanted = false;
  /** The lowest mean wait for the store, as far as it is remembered. */
  #lowestMs = Number.POSITIVE_INFINITY;

  constructor(limits: LoadLimits) {
    this.#limits = limits;
    this.#limit = limits.slotsFirst;
  }

  get limit(): number {
    return Math.floor(this.#limit);
  }

  get taken(): number {
    return this.#taken;
  }

  get free(): boolean {
    return this.#taken < this.limit;
  }

  take(): void {
    this.#taken += 1;
  }

  release(): void {
    this.#taken -= 1;
  }

  /** A call waits because no slot is free. */
  wanted(): void {
    this.#wanted = true;
  }

  /** A command under way waits for the store from now on. */
  storeAsked(): void {
    this.#atStore += 1;
  }

  /** It did so for so long. */
  storeAnswered(waitMs: number): void {
    this.#atStore -= 1;
    this.#waits += 1;
    this.#waitTotalMs += waitMs;
  }

  /** The event loop came to the queue so much later than it should have. */
  turned(lateMs: number): void {
    this.#turns += 1;
    this.#lateTotalMs += lateMs;
  }

  /** Looks whether a window is over, and moves the limit if it is. */
  look(now: number): void {
    const lastedMs = now - this.#windowBegan;
    const { windowMs } = this.#limits;
    if (lastedMs < windowMs) return;
    const unanswered = this.#waits === 0 && this.#atStore > 0;
    if (unanswered && lastedMs < stalledWindows * windowMs) return;
    // After a pause nothing is known of, only what is under way says something.
    this.#move(unanswered ? Math.min(lastedMs, 2 * stalledWindows * windowMs) : 0);
    this.#windowBegan = now;
    this.#waits = 0;
    this.#waitTotalMs = 0;
    this.#lateTotalMs = 0;
    this.#turns = 0;
    this.#wanted = false;
  }

  #move(unansweredMs: number): void {
    const storeMs = this.#waits === 0 ? unansweredMs : this.#waitTotalMs / this.#waits;
    if (this.#waits > 0) this.#learn(storeMs);
    const waitMs = storeMs + (this.#turns === 0 ? 0 : this.#lateTotalMs / this.#turns);
    const tolerated = this.#toleratedMs;
    const gradient = Math.min(1, Math.max(gradientMin, tolerated / Math.max(waitMs, 1e-3)));
    const next = (1 - smoothing) * this.#limit + smoothing * (gradient * this.#limit + this.#room(waitMs, tolerated));
    this.#limit = Math.min(this.#limits.slotsMax, Math.max(this.#limits.slotsMin, next));
  }

  /** A limit that held nobody back says nothing about a higher one. */
  #room(waitMs: number, tolerated: number): number {
    if (!this.#wanted || waitMs > tolerated) return 0;
    return waitMs < tolerated / 2 ? this.#limit : Math.sqrt(this.#limit);
  }

  /** While calls want slots the wait is of their own making: to learn from it would tolerate more, and more. */
  #learn(meanMs: number): void {
    if (meanMs < this.#lowestMs) this.#lowestMs = meanMs;
    else if (!this.#wanted) this.#lowestMs += lowestForgotten * (meanMs - this.#lowestMs);
  }

  get #toleratedMs(): number {
    const slowMs = Number.isFinite(this.#lowestMs) ? toleratedTimes * this.#lowestMs : 0;
    return Math.max(this.#limits.commitWaitMs, slowMs);
  }
}
