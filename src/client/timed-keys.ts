/**
 * The idempotency keys that the client library makes. A system forgets old keys by the time in them, and refuses
 * keys from the future; so a client whose clock is wrong goes by the clock of the system, as its answers tell it.
 */
import { makeTimedKey } from "../values/ids.ts";
import type { Platform } from "./platform.ts";

/** A smaller difference may be the answer's time on its way, and harms nobody. */
const differenceMinMs = 60_000;
const keyRandomBytes = 10;

export class TimedKeys {
  readonly #platform: Platform;
  #differenceMs = 0;

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  make(): string {
    return makeTimedKey(this.#platform.wall() + this.#differenceMs, this.#platform.bytes(keyRandomBytes));
  }

  /** An answer said what time it is (ms since 1970). Returns whether keys will be other ones from now on. */
  learn(time: number): boolean {
    const exact = time - this.#platform.wall();
    const differenceMs = Math.abs(exact) < differenceMinMs ? 0 : exact;
    const differs = Math.abs(differenceMs - this.#differenceMs) >= differenceMinMs;
    if (differs) this.#differenceMs = differenceMs;
    return differs;
  }
}
