/**
 * What calls may spend on repeats over one link, so that a node in trouble is not buried under them: a token bucket.
 * A repeat takes a token, an answer gives a part of one back, and a little comes back with time. (After gRPC's retry
 * throttling, https://github.com/grpc/proposal/blob/master/A6-client-retries.md.)
 *
 * It is as deep as a link is wide, so that all that a node held when it died may be repeated at once; in the long
 * run repeats are a fifth of the calls.
 */

/** Repeats that may be spent at once: the calls of one link that can be under way. */
export const repeatTokensMax: number = 1_000;
/** Given back by an answer. */
const tokensPerAnswer = 0.2;
/** Given back by time. */
const tokensPerSecond = 20;

export class RepeatBudget {
  #tokens = repeatTokensMax;
  #at: number;

  constructor(now: number) {
    this.#at = now;
  }

  answered(): void {
    this.#tokens = Math.min(repeatTokensMax, this.#tokens + tokensPerAnswer);
  }

  /** Takes a token, if there is one. */
  take(now: number): boolean {
    const gained = (Math.max(0, now - this.#at) / 1_000) * tokensPerSecond;
    this.#tokens = Math.min(repeatTokensMax, this.#tokens + gained);
    this.#at = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
