/**
 * Watching the leases of others without a shared clock.
 *
 * A lighthouse keeper who sees no change in another light for long enough concludes that it is out, but counts
 * only the time in which his own window was clear: while this node cannot write itself, a counter that
 * stands still says nothing about its owner. What is watched is the renewal counter, never a timestamp.
 */

/** A look that takes less than this part of a TTL is nothing out of the ordinary. */
const shortLooksPerTtl = 8;

interface Watch {
  renewals: number;
  /** How long the counter certainly stood still while this node could write, in ms: up to the last sending. */
  stillMs: number;
  /** How long the last look took; it counts when the next one finds the counter where it was. */
  lookMs: number;
  /** Whether the counter ever moved while it was watched: its owner is certainly alive, or was just now. */
  advanced: boolean;
}

/** One confirmed renewal of this node, with the counters that came back with it. */
export interface Observation {
  /** Monotonic instants, ms, of sending and of the answer: the store counted somewhere between. */
  readonly sentAt: number;
  readonly answeredAt: number;
  /** Renewal counter of every live member, by incarnation. */
  readonly renewals: ReadonlyMap<number, number>;
}

export interface ExpiryOptions {
  readonly leaseTtlMs: number;
  readonly leaseMarginMs: number;
}

export class Expiry {
  readonly #own: number;
  readonly #options: ExpiryOptions;
  readonly #watches = new Map<number, Watch>();
  #answeredAt: number | null = null;

  constructor(own: number, options: ExpiryOptions) {
    this.#own = own;
    this.#options = options;
  }

  observe({ sentAt, answeredAt, renewals }: Observation): void {
    // From the last answer to this sending is certain; a gap of a whole TTL means that we could not write.
    const sinceLast = this.#answeredAt === null ? 0 : sentAt - this.#answeredAt;
    const counted = sinceLast > 0 && sinceLast < this.#options.leaseTtlMs ? sinceLast : 0;
    this.#answeredAt = answeredAt;
    // Looks without a pause between them are most of the time; a long one says that writing was hard for everybody.
    const tookMs = answeredAt - sentAt;
    const lookMs = tookMs < this.#options.leaseTtlMs / shortLooksPerTtl ? tookMs : 0;
    for (const incarnation of this.#watches.keys()) {
      if (!renewals.has(incarnation)) this.#watches.delete(incarnation);
    }
    for (const [incarnation, count] of renewals) {
      if (incarnation === this.#own) continue;
      const watch = this.#watches.get(incarnation);
      if (watch === undefined || watch.renewals !== count) {
        // It may have moved as late as just before the answer.
        this.#watches.set(incarnation, { renewals: count, stillMs: 0, lookMs: 0, advanced: watch !== undefined });
      } else {
        watch.stillMs += watch.lookMs + counted;
        watch.lookMs = lookMs;
      }
    }
  }

  /** Leases that a claim may end, with the counter at which each was seen to stand still. */
  expired(): readonly { readonly incarnation: number; readonly renewals: number }[] {
    const enough = this.#options.leaseTtlMs + this.#options.leaseMarginMs;
    return [...this.#watches]
      .filter(([, watch]) => watch.stillMs >= enough)
      .map(([incarnation, watch]) => ({ incarnation, renewals: watch.renewals }));
  }

  /** Whether this member has renewed its lease since it was first seen. */
  hasRenewed(incarnation: number): boolean {
    return this.#watches.get(incarnation)?.advanced ?? false;
  }

  /** How much longer this member's lease must be watched before it may be ended, in ms. */
  remainingMs(incarnation: number): number {
    const { leaseTtlMs, leaseMarginMs } = this.#options;
    return leaseTtlMs + leaseMarginMs - (this.#watches.get(incarnation)?.stillMs ?? 0);
  }

  /** How long from the last confirmed renewal until one more look can find a lease expired, in ms; infinite for none. */
  get soonestMs(): number {
    return Math.min(...[...this.#watches.keys()].map((incarnation) => this.remainingMs(incarnation)));
  }
}
