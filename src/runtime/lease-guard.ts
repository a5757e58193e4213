/**
 * The node's lease on its two clocks: the question "may I still act?" and a place to wait for a yes.
 * A node whose lease has run out serves nothing until a renewal succeeds.
 */
import { type Instant, Lease, type LeaseOptions } from "../core/membership/lease.ts";
import type { Clock } from "../ports/clock.ts";
import { mark } from "../values/marks.ts";

export class LeaseGuard {
  readonly #clock: Clock;
  readonly #lease: Lease;
  readonly #patienceMs: number;
  readonly #waiters = new Set<() => void>();

  constructor(clock: Clock, options: LeaseOptions) {
    this.#clock = clock;
    this.#lease = new Lease(options);
    this.#patienceMs = options.leaseTtlMs;
  }

  now(): Instant {
    return { monotonic: this.#clock.monotonic(), wall: this.#clock.wall() };
  }

  get valid(): boolean {
    return this.#lease.validAt(this.now());
  }

  renewed(sentAt: Instant): void {
    this.#lease.renewed(sentAt);
    if (this.valid) this.#wake();
  }

  /** The lease is over for good: whoever waits for another one asks whether that is still wanted. */
  ended(): void {
    this.#lease.ended(this.now());
    this.#wake();
  }

  /**
   * Waits for a valid lease, for one TTL and up to `deadline` (monotonic) at the most, and only as long as `wanted`
   * says so. Returns whether there is one.
   */
  async whenValid(deadline: number, wanted: () => boolean): Promise<boolean> {
    const giveUpAt = Math.min(deadline, this.#clock.monotonic() + this.#patienceMs);
    if (!this.valid) mark("lease ran out");
    while (!this.valid && wanted()) {
      const leftMs = giveUpAt - this.#clock.monotonic();
      if (leftMs <= 0) return false;
      await this.#change(leftMs);
    }
    return this.valid;
  }

  async #change(withinMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        timer.cancel();
        this.#waiters.delete(done);
        resolve();
      };
      const timer = this.#clock.setTimer(withinMs, done);
      this.#waiters.add(done);
    });
  }

  #wake(): void {
    for (const waiter of [...this.#waiters]) waiter();
  }
}
