/**
 * This node's own lease: until when it may believe that it is a member.
 *
 * A parking ticket, bought for TTL from the moment at which the coin left the hand: what counts is when the
 * renewal was sent, not when its confirmation arrived. The holder leaves a margin before the end. Both
 * clocks are asked, because the monotonic one stands still while a machine is suspended (rule S10).
 */

/** A reading of both clocks, in ms. */
export interface Instant {
  readonly monotonic: number;
  readonly wall: number;
}

export interface LeaseOptions {
  readonly leaseTtlMs: number;
  readonly leaseMarginMs: number;
}

export class Lease {
  readonly #termMs: number;
  #sentAt: Instant | null = null;
  /** When this node heard that its lease was over: whatever was sent before belongs to that lease. */
  #endedAt = Number.NEGATIVE_INFINITY;

  constructor({ leaseTtlMs, leaseMarginMs }: LeaseOptions) {
    this.#termMs = leaseTtlMs - leaseMarginMs;
  }

  /** A write that renews was confirmed; it was sent at this instant. */
  renewed(sentAt: Instant): void {
    if (sentAt.monotonic < this.#endedAt) return;
    // The confirmation of an earlier write may arrive after that of a later one. A renewal that was sent
    // before the machine was suspended carries the old wall clock and buys nothing.
    if (this.#sentAt === null || isLater(sentAt, this.#sentAt)) this.#sentAt = sentAt;
  }

  /** A claim ended the lease, or the node left: only a new incarnation brings another one. */
  ended(now: Instant): void {
    this.#sentAt = null;
    this.#endedAt = now.monotonic;
  }

  /** Whether the node may act on what it owns. */
  validAt(now: Instant): boolean {
    return this.remainingMs(now) > 0;
  }

  /** How long the node may go on without a further renewal, in ms; 0 or less when it may not. */
  remainingMs(now: Instant): number {
    const sentAt = this.#sentAt;
    if (sentAt === null) return 0;
    const elapsed = Math.max(now.monotonic - sentAt.monotonic, now.wall - sentAt.wall);
    return this.#termMs - elapsed;
  }
}

/** The monotonic clock orders sendings; across a suspension, in which it stood still, the wall clock does. */
function isLater(a: Instant, b: Instant): boolean {
  return a.monotonic > b.monotonic || (a.monotonic === b.monotonic && a.wall > b.wall);
}
