/**
 * The retry budget: what all calls of one client may spend on repeats, so that a system in trouble is not
 * buried under them. A token bucket: a repeat takes a token, an answer gives a part of one back, and
 * a little comes back with time, so that a client whose every call fails still finds out when it is over.
 * (After gRPC's retry throttling, https://github.com/grpc/proposal/blob/master/A6-client-retries.md.)
 */

/** Repeats that may be spent at once. */
export const tokensMax: number = 100;
/** Given back by an answer: so many repeats per call in the long run. */
export const tokensPerAnswer: number = 0.2;
/** Given back by time. */
export const tokensPerSecond: number = 10;

export class RetryBudget {
  #tokens = tokensMax;
  #at: number | null = null;

  /** A call was answered, with a value or a declared error. */
  answered(): void {
    this.#tokens = Math.min(tokensMax, this.#tokens + tokensPerAnswer);
  }

  /** Takes a token and returns 0, or returns how long to wait before asking again, ms. `now` is in ms. */
  take(now: number): number {
    this.#refill(now);
    if (this.#tokens < 1) return ((1 - this.#tokens) / tokensPerSecond) * 1_000;
    this.#tokens -= 1;
    return 0;
  }

  #refill(now: number): void {
    const elapsedMs = this.#at === null ? 0 : Math.max(0, now - this.#at);
    this.#at = now;
    this.#tokens = Math.min(tokensMax, this.#tokens + (elapsedMs / 1_000) * tokensPerSecond);
  }
}
