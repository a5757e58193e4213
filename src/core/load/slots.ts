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
 * the node itself causes: that for the store (of the calls that had it behind them, or that the calls in front of it
 * foretell by Little's law, whichever is longer), and what the event loop is late beyond the slice that handlers are
 * given. A call that waits for the store several times counts with all of its waits. It is compared with what is
 * `tolerated`: 50 ms, or three times the lowest mean of late where the store is slow by nature, but then no more than a
 * tenth of the time that callers have (or twice that lowest mean), or they would be late. At its lowest, L takes the wait
 * that it sees for the lowest mean: no queue of this node can have made it longer. And L grows only while it is what
 * holds calls back: by q = L as long as the wait is below half of what is tolerated (slow start, as in TCP), so that a
 * store that stood still for two seconds has its calls back half a second later, and so that calls that wait for
 * something else than this node soon hold nobody back; by q = √L from there on.
 */
import type { LoadLimits } from "./limits.ts";

/** How much of a window's verdict is taken over. */
const smoothing = 0.5;
const gradientMin = 0.5;
/** Where the store is slow by nature, a wait of this many times its lowest mean is tolerated. */
const toleratedTimes = 3;
/** But no more than this part of the time that callers have left when their calls start, or so many times that lowest mean. */
const toleratedPart = 0.1;
const toleratedTimesMin = 2;
/** Weight of one more call in the time that callers have: of one whose caller has less than the mean, and of another. */
const impatientWeight = 0.1;
const patientWeight = 0.01;
/** Calls at the store from which on their number says how long they will wait. */
const foretellingMin = 16;
/** How quickly the lowest mean is forgotten, by windows: in some seconds. */
const lowestForgotten = 0.02;
/**
 * A window ends when as many calls have ended in it as are under way, so that what the last move of the limit did is seen
 * before the next one; at the latest after so many lengths.
 */
const windowLengthsMax = 4;
/** Or, where the store is slow by nature, after so many of its waits, and so many lengths: a part of a wait says nothing. */
const windowWaits = 2;
const windowLengthsSlowMax = 20;

export class Slots {
  readonly #limits: LoadLimits;
  #limit: number;
  #taken = 0;
  /** Calls under way that wait for the store. */
  #atStore = 0;
  #windowBegan = 0;
  /** Calls that ended in this window. */
  #ended = 0;
  /** When there were last more calls at the store than always may be. */
  #crowdedAt = Number.NEGATIVE_INFINITY;
  /** Whether there were in this window. */
  #crowded = false;
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
  /** The time that callers have left when their calls start; endless until one had to wait. */
  #patienceMs = Number.POSITIVE_INFINITY;

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
    this.#ended += 1;
  }

  /** A call waits because no slot is free. */
  wanted(): void {
    this.#wanted = true;
  }

  /** A call starts that has waited, and its caller will wait for so much longer. */
  started(leftMs: number): void {
    if (this.#patienceMs === Number.POSITIVE_INFINITY) this.#patienceMs = leftMs;
    const weight = leftMs < this.#patienceMs ? impatientWeight : patientWeight;
    this.#patienceMs += weight * (leftMs - this.#patienceMs);
  }

  /** A command under way waits for the store from now on. */
  storeAsked(): void {
    this.#atStore += 1;
    if (this.#atStore > this.#limits.slotsMin) this.#crowded = true;
  }

  /** It did so, and all of its waits so far took so long. */
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
    const early = unanswered || this.#ended < this.#taken;
    if (early && lastedMs < this.#windowMaxMs) return;
    if (this.#crowded) this.#crowdedAt = now;
    // After a pause nothing is known of, only what is under way says something.
    this.#move(unanswered ? Math.min(lastedMs, 2 * this.#windowMaxMs) : this.#foretoldMs(lastedMs));
    this.#windowBegan = now;
    this.#ended = 0;
    this.#crowded = this.#atStore > this.#limits.slotsMin;
    this.#waits = 0;
    this.#waitTotalMs = 0;
    this.#lateTotalMs = 0;
    this.#turns = 0;
    this.#wanted = false;
  }

  /** How long the last of the calls at the store will have waited, at the rate of this window. Few foretell nothing. */
  #foretoldMs(lastedMs: number): number {
    if (this.#waits === 0 || this.#atStore < foretellingMin || lastedMs > 2 * this.#windowMaxMs) return 0;
    // What is shorter than two of its waits has seen a part of one commit, or two.
    if (lastedMs * this.#waits < windowWaits * this.#waitTotalMs) return 0;
    return (this.#atStore * lastedMs) / this.#waits;
  }

  #move(foretoldMs: number): void {
    const meanMs = this.#waits === 0 ? 0 : this.#waitTotalMs / this.#waits;
    if (this.#waits > 0) this.#learn(meanMs);
    const storeMs = Math.max(meanMs, foretoldMs);
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

  /**
   * While calls want slots the wait is of their own making: to learn from it would tolerate more, and more. But not if
   * no fewer can be under way than were: then it is what the store takes, and a limit that fell because the store has turned
   * slow would else stay where it is for as long as calls come. (In the same way BBR finds the round trip of a path that
   * was changed: with next to nothing in flight. https://datatracker.ietf.org/doc/draft-ietf-ccwg-bbr/, ProbeRTT.)
   */
  #learn(meanMs: number): void {
    const fewest = this.limit <= this.#limits.slotsMin && this.#windowBegan - meanMs >= this.#crowdedAt;
    if (meanMs < this.#lowestMs || fewest) this.#lowestMs = meanMs;
    else if (!this.#wanted) this.#lowestMs += lowestForgotten * (meanMs - this.#lowestMs);
  }

  /** How long a window lasts at the most, ms. */
  get #windowMaxMs(): number {
    const { windowMs } = this.#limits;
    if (!Number.isFinite(this.#lowestMs)) return windowLengthsMax * windowMs;
    return Math.min(
      windowLengthsSlowMax * windowMs,
      Math.max(windowLengthsMax * windowMs, windowWaits * this.#lowestMs),
    );
  }

  get #toleratedMs(): number {
    if (!Number.isFinite(this.#lowestMs)) return this.#limits.commitWaitMs;
    const inTimeMs = Math.max(toleratedTimesMin * this.#lowestMs, toleratedPart * this.#patienceMs);
    return Math.max(this.#limits.commitWaitMs, Math.min(toleratedTimes * this.#lowestMs, inTimeMs));
  }
}
