/**
 * A holder and a claimer of one lease, with a store between them and a clock each: clocks run at different
 * rates within the margin, messages take as long as they like or are lost, machines pause and are suspended.
 * Whatever happens, no claim is taken while the holder can believe in its lease.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Expiry } from "./expiry.ts";
import { type Instant, Lease } from "./lease.ts";

const options = { leaseTtlMs: 2_000, leaseMarginMs: 200 };
/** What the margin allows: two clocks that are both off by this still agree on who holds the lease. */
const driftMax = options.leaseMarginMs / options.leaseTtlMs - 0.001;

const holderIncarnation = 1;
const claimerIncarnation = 2;

/** One write: how long its sender waited before, and how long it and its answer travel; ms of true time. */
interface Write {
  readonly waits: number;
  readonly out: number;
  readonly back: number;
  readonly lost: "no" | "request" | "answer";
}

interface Machine {
  /** How fast its clocks run, about 1. */
  readonly rate: number;
  /** When it is suspended, and for how long. */
  readonly suspensions: readonly { readonly from: number; readonly length: number }[];
  readonly writes: readonly Write[];
}

/** The clocks of a machine, as functions of true time. */
class Clocks {
  readonly #machine: Machine;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  /** The first moment at which the machine is awake, `time` or later. */
  awake(time: number): number {
    let awake = time;
    for (const { from, length } of this.#machine.suspensions) {
      if (from <= awake && awake < from + length) awake = from + length;
    }
    return awake;
  }

  at(time: number): Instant {
    const { rate, suspensions } = this.#machine;
    let asleep = 0;
    for (const { from, length } of suspensions) asleep += Math.min(Math.max(time - from, 0), length);
    return { monotonic: rate * (time - asleep), wall: rate * time };
  }
}

/** Things that happen at instants of true time, in order. */
class Timeline {
  #due: { readonly time: number; readonly happen: (time: number) => void }[] = [];

  at(time: number, happen: (time: number) => void): void {
    this.#due.push({ time, happen });
  }

  run(): void {
    while (this.#due.length > 0) {
      const next = this.#due.reduce((first, other) => (other.time < first.time ? other : first));
      this.#due = this.#due.filter((other) => other !== next);
      next.happen(next.time);
    }
  }
}

class World {
  readonly #timeline = new Timeline();
  readonly #holder: Machine;
  readonly #claimer: Machine;
  readonly #lease = new Lease(options);
  readonly #expiry = new Expiry(claimerIncarnation, options);
  /** The store: the holder's renewals, and when a claim ended its lease. */
  #renewals = 0;
  endedAt: number | null = null;

  constructor(holder: Machine, claimer: Machine) {
    this.#holder = holder;
    this.#claimer = claimer;
  }

  run(): void {
    this.#hold();
    this.#watch(0, 0);
    this.#timeline.run();
  }

  /** Writes of the holder overlap: commits renew as well as heartbeats. */
  #hold(): void {
    const clocks = new Clocks(this.#holder);
    let time = 0;
    for (const { waits, out, back, lost } of this.#holder.writes) {
      time = clocks.awake(time + waits);
      const sentAt = clocks.at(time);
      if (lost === "request") continue;
      this.#timeline.at(time + out, (arrived) => {
        if (this.endedAt !== null) return;
        this.#renewals += 1;
        if (lost === "answer") return;
        this.#timeline.at(clocks.awake(arrived + back), (confirmed) => {
          this.#lease.renewed(sentAt);
          this.#check(clocks.at(confirmed));
        });
      });
    }
  }

  /** The claimer's heartbeats, one after the other; what it finds expired it claims with the next message. */
  #watch(time: number, index: number): void {
    const clocks = new Clocks(this.#claimer);
    const write = this.#claimer.writes[index];
    if (write === undefined) return;
    const sendingTime = clocks.awake(time + write.waits);
    const sentAt = clocks.at(sendingTime).monotonic;
    this.#timeline.at(sendingTime + write.out, (arrived) => {
      const counted = this.#renewals;
      this.#timeline.at(clocks.awake(arrived + write.back), (answered) => {
        if (write.lost === "no") {
          const answeredAt = clocks.at(answered).monotonic;
          this.#expiry.observe({ sentAt, answeredAt, renewals: new Map([[holderIncarnation, counted]]) });
          for (const { renewals } of this.#expiry.expired()) {
            this.#timeline.at(answered + write.out, (claimed) => this.#claim(claimed, renewals));
          }
        }
        this.#watch(answered, index + 1);
      });
    });
  }

  #claim(time: number, renewals: number): void {
    if (this.endedAt !== null || this.#renewals !== renewals) return;
    this.endedAt = time;
    const clocks = new Clocks(this.#holder);
    this.#check(clocks.at(clocks.awake(time)));
  }

  #check(now: Instant): void {
    if (this.endedAt === null) return;
    assert.equal(
      this.#lease.validAt(now),
      false,
      `the lease was ended, and its holder believes in it for ${this.#lease.remainingMs(now)} ms`,
    );
  }
}

const rate = fc.constantFrom(1 - driftMax, 1, 1 + driftMax);
const travel = fc.oneof({ weight: 4, arbitrary: fc.nat(30) }, { weight: 1, arbitrary: fc.nat(3_000) });
const lost: fc.Arbitrary<Write["lost"]> = fc.constantFrom("no", "no", "no", "no", "request", "answer");
const suspensions = fc
  .array(fc.record({ gap: fc.nat(15_000), length: fc.nat(8_000) }), { maxLength: 2 })
  .map((drawn) => {
    let end = 0;
    return drawn.map(({ gap, length }) => {
      const from = end + gap;
      end = from + length;
      return { from, length };
    });
  });

/** Nothing goes wrong: a heartbeat every so many ms. The tightest claims come of this. */
const steady = fc
  .record({ periodMs: fc.integer({ min: 40, max: 500 }), forMs: fc.integer({ min: 500, max: 6_000 }), out: fc.nat(5) })
  .map(({ periodMs, forMs, out }): Write[] => {
    const write: Write = { waits: periodMs, out, back: out, lost: "no" };
    return Array.from({ length: Math.ceil(forMs / periodMs) }, () => write);
  });

/** Writes come every few hundred ms, now and then after a pause about as long as a lease, and travel badly. */
const wild = fc.array(
  fc.record({
    waits: fc.oneof({ weight: 4, arbitrary: fc.nat(600) }, { weight: 1, arbitrary: fc.nat(4_000) }),
    out: travel,
    back: travel,
    lost,
  }),
  { minLength: 1, maxLength: 40, size: "max" },
);

const machine: fc.Arbitrary<Machine> = fc.oneof(
  fc.record({ rate, suspensions: fc.constant([]), writes: steady }),
  fc.record({ rate, suspensions, writes: steady }),
  fc.record({ rate, suspensions, writes: wild }),
);

test("no lease is ended while its holder can believe in it, whatever clocks, messages and machines do", () => {
  let ended = 0;
  fc.assert(
    fc.property(machine, machine, (holder, claimer) => {
      const world = new World(holder, claimer);
      world.run();
      if (world.endedAt !== null) ended += 1;
    }),
    { numRuns: 2_000 },
  );
  assert.ok(ended > 500, `only ${ended} runs ended a lease: the property says little`);
});
