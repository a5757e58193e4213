/** Calls that wait for something: woken by it, by their deadline, by their caller's leaving, or by the node's end. */
import type { Clock } from "../ports/clock.ts";
import type { Invocation } from "./invocation.ts";

export class Sleepers {
  readonly #clock: Clock;
  readonly #sleepers = new Set<() => void>();
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What all wait for may have come: they look. */
  wake(): void {
    for (const wake of [...this.#sleepers]) wake();
  }

  /** Nobody sleeps any more. */
  close(): void {
    this.#closed = true;
    this.wake();
  }

  /** Sleeps for `ms`, or until it is woken, or until nobody waits for the call. */
  async sleep(ms: number, { deadline, signal }: Invocation): Promise<void> {
    const remainingMs = Math.min(ms, deadline - this.#clock.monotonic());
    if (this.#closed || signal?.aborted === true || remainingMs <= 0) return;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        timer.cancel();
        signal?.removeEventListener("abort", wake);
        this.#sleepers.delete(wake);
        resolve();
      };
      const timer = this.#clock.setTimer(remainingMs, wake);
      signal?.addEventListener("abort", wake);
      this.#sleepers.add(wake);
    });
  }
}
