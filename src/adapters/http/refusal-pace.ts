/**
 * How fast a node turns requests away: so fast that it has most of its processor for those that it lets in. Like an
 * office that has to answer every letter, if only by "no": if noes were written first, on a bad day nothing else would be.
 *
 * A refusal costs a fraction of a call, but without end: at ten times the capacity refusing alone would take more than
 * there is, the event loop would be late, and nobody would get an answer in time, admitted or not. So refusing has
 * a share. What exceeds it waits; and because a connection brings its next request only when it has the answer to
 * the last one, the rest stays with its callers, where it costs nothing.
 */
import { Heap } from "../../values/heap.ts";

/** Of the time, what the refusals themselves may take, in the listener. What is around them in Node costs the same again. */
const share = 1 / 16;
/** Refusals that were not made are remembered for so long, ms: a few are never held. */
const creditMs = 100;
/** How often held refusals are looked at, ms. */
const lookMs = 2;
/** Beyond the share so many are made in one look while nothing else waits, until it is seen whether something does. */
const spareMax = 100;
/** No refusal is held for longer than this, nor longer than this part of the time its caller has. */
const heldMaxMs = 1_000;
const heldPart = 0.8;

interface Held {
  readonly refuse: () => void;
  readonly latestAt: number;
  readonly number: number;
}

/** Whoever can wait for the shortest, and of those whoever came first. */
function isBefore(one: Held, other: Held): boolean {
  return one.latestAt < other.latestAt || (one.latestAt === other.latestAt && one.number < other.number);
}

export class RefusalPace {
  readonly #now: () => number;
  readonly #busy: () => boolean;
  /** When the share is free again. */
  #freeAt: number = Number.NEGATIVE_INFINITY;
  readonly #held = new Heap<Held>(isBefore);
  #heldSoFar = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `now`: a clock in ms that never goes back. `busy`: whether calls wait that could be carried out meanwhile. */
  constructor(now: () => number, busy: () => boolean) {
    this.#now = now;
    this.#busy = busy;
  }

  get held(): number {
    return this.#held.length;
  }

  /** Refuses at once, or when there is time. `leftMs`: how long the caller will wait. */
  refuse(refuse: () => void, leftMs: number): void {
    const now = this.#now();
    if (this.held === 0 && this.#freeAt <= now) return this.#spend(refuse, now);
    const latestAt = now + Math.min(heldMaxMs, heldPart * leftMs);
    this.#held.add({ refuse, latestAt, number: ++this.#heldSoFar });
    this.#timer ??= setTimeout(() => this.#look(), lookMs);
  }

  #look(): void {
    this.#timer = undefined;
    for (let told = 0; this.#held.first !== undefined; told++) {
      const { refuse, latestAt } = this.#held.first;
      const now = this.#now();
      const spare = told < spareMax && !this.#busy();
      if (this.#freeAt > now && latestAt > now && !spare) break;
      this.#held.take();
      this.#spend(refuse, now);
    }
    if (this.held > 0) this.#timer = setTimeout(() => this.#look(), lookMs);
  }

  #spend(refuse: () => void, began: number): void {
    refuse();
    const tookMs = this.#now() - began;
    this.#freeAt = Math.max(this.#freeAt, began - creditMs) + tookMs / share;
  }
}
