/**
 * Whether a queue stands: whether more comes in than goes out. Like a motorway at rush hour: one gap between two cars
 * does not make it empty.
 *
 *     it was not empty for 200 ms  ─▶ stands ─▶  it was, and nobody was turned away for 200 ms
 *
 * That it was empty for a moment says little while calls are turned away: a slice of handlers may empty it at the end of
 * a turn, hundreds of requests being unread, and if those were taken for a burst, so many would be let in, again and
 * again, that all are late.
 */
export class Standing {
  readonly #windowMs: number;
  /** Since when it has not been empty. */
  #filledSince: number | null = null;
  /** When somebody was last turned away because of its length. */
  #refusedAt: number = Number.NEGATIVE_INFINITY;
  #stands = false;

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** Something waits from now on. */
  filled(now: number): void {
    this.#filledSince ??= now;
  }

  /** Nothing waits any more. */
  emptied(now: number): void {
    this.at(now);
    this.#filledSince = null;
  }

  refused(now: number): void {
    this.#refusedAt = now;
  }

  at(now: number): boolean {
    if (this.#filledSince !== null && now - this.#filledSince >= this.#windowMs) this.#stands = true;
    else if (now - this.#refusedAt >= this.#windowMs) this.#stands = false;
    return this.#stands;
  }
}
