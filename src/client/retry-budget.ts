/**
 * The retry budget: what all calls of one client may spend on repeats, so that a system in trouble is not
 * buried under them. A token bucket: a repeat takes a token or queues for one, an answer gives a part of one back,
 * and a little comes back with time, so that a client whose every call fails still finds out when it is over.
 *
 * Of those that queue the last one goes first. In the order in which they came each would wait, when there are many, until
 * its time is nearly over, and what it had waited for would be spent on an attempt that nobody can answer in time any more.
 *
 * (After gRPC's retry throttling, https://github.com/grpc/proposal/blob/master/A6-client-retries.md.)
 */
import type { Platform } from "./platform.ts";

/** Repeats that may be spent at once. */
export const tokensMax: number = 100;
/** Given back by an answer: so many repeats per call in the long run. */
export const tokensPerAnswer: number = 0.2;
/** Given back by time. */
export const tokensPerSecond: number = 10;

type Grant = (granted: boolean) => void;

export class RetryBudget {
  readonly #platform: Platform;
  #tokens = tokensMax;
  /** When time was last counted. */
  #at: number;
  /** The last one goes first. */
  readonly #waiting: Grant[] = [];
  #cancelTimer: (() => void) | null = null;

  constructor(platform: Platform) {
    this.#platform = platform;
    this.#at = platform.monotonic();
  }

  /** A call was answered, with a value or a declared error. */
  answered(): void {
    this.#add(tokensPerAnswer);
    this.#serve();
  }

  /** Takes a token, or waits for one; false when the deadline comes first. */
  async take(deadline: number): Promise<boolean> {
    this.#refill();
    if (this.#tokens >= 1 && this.#waiting.length === 0) {
      this.#tokens -= 1;
      return true;
    }
    const leftMs = deadline - this.#platform.monotonic();
    if (leftMs <= 0) return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const cancel = this.#platform.after(leftMs, () => {
      this.#waiting.splice(this.#waiting.indexOf(resolve), 1);
      resolve(false);
    });
    this.#waiting.push(resolve);
    this.#serve();
    const granted = await promise;
    cancel();
    return granted;
  }

  #serve(): void {
    this.#refill();
    while (this.#tokens >= 1 && this.#waiting.length > 0) {
      this.#tokens -= 1;
      this.#waiting.pop()!(true);
    }
    if (this.#waiting.length === 0) {
      this.#cancelTimer?.();
      this.#cancelTimer = null;
    } else if (this.#cancelTimer === null) {
      const dueMs = ((1 - this.#tokens) / tokensPerSecond) * 1_000;
      // Rounded up: a timer that comes early finds a token that is not quite whole.
      this.#cancelTimer = this.#platform.after(Math.ceil(dueMs), () => {
        this.#cancelTimer = null;
        this.#serve();
      });
    }
  }

  #refill(): void {
    const now = this.#platform.monotonic();
    this.#add((Math.max(0, now - this.#at) / 1_000) * tokensPerSecond);
    this.#at = now;
  }

  #add(tokens: number): void {
    this.#tokens = Math.min(tokensMax, this.#tokens + tokens);
  }
}
