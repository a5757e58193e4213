/**
 * A circuit breaker for one target: a service on one other node. Like a letter carrier who stops leaving letters at a
 * house where nobody has taken any in for days, and rings once in a while to see whether somebody is back.
 *
 *     closed ──failures in a row, and nothing answered meanwhile──▶ open ──time──▶ half-open: one probe
 *        ◀──────────────────── answered ────────────────────────────────────────────┘   lost ──▶ open, for longer
 *
 * What it saves is not the callee but the caller: a call that goes into a hole ends as "unknown" at its deadline, and
 * one that is not sent certainly did not happen, so that the router may look for another way while there is time.
 * Whatever the callee answers is an answer, a refusal too. (After Nygard, Release It!, 2007.)
 */

/** Calls in a row that got no answer. */
const failuresMax = 5;
/** How long nothing is sent, the first time and at the most; doubled by every lost probe. */
const openFirstMs = 250;
const openMaxMs = 4_000;

export type BreakerState = "closed" | "open" | "half-open";

export class Breaker {
  #failures = 0;
  #answers = 0;
  #openUntil = 0;
  #openMs = 0;
  #probing = false;

  /** How many calls were answered; a call that is sent remembers it. */
  get answers(): number {
    return this.#answers;
  }

  get state(): BreakerState {
    if (this.#openMs === 0) return "closed";
    return this.#probing ? "half-open" : "open";
  }

  /** Whether a call would be let through now. Whoever chooses between targets asks this: it takes no probe away. */
  mayTry(now: number): boolean {
    return this.#openMs === 0 || (!this.#probing && now >= this.#openUntil);
  }

  /** Whether a call may be sent now. A yes to a breaker that was open is for one probe, whose outcome must be told. */
  allows(now: number): boolean {
    if (!this.mayTry(now)) return false;
    this.#probing = this.#openMs > 0;
    return true;
  }

  answered(): void {
    this.#answers += 1;
    this.#failures = 0;
    this.#openMs = 0;
    this.#probing = false;
  }

  /** A call got no answer that was sent after so many answers. One that others outran says nothing about the target. */
  unanswered(answersThen: number, now: number): void {
    if (this.#probing) return this.#open(now);
    if (this.#openMs > 0 || this.#answers > answersThen) return;
    this.#failures += 1;
    if (this.#failures >= failuresMax) this.#open(now);
  }

  /** A probe never left, or its caller gave up: it says nothing. */
  withdrawn(): void {
    this.#probing = false;
  }

  #open(now: number): void {
    this.#probing = false;
    this.#openMs = this.#openMs === 0 ? openFirstMs : Math.min(openMaxMs, 2 * this.#openMs);
    this.#openUntil = now + this.#openMs;
  }
}
