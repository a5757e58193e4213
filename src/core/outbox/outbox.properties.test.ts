/**
 * Outboxes of one shard, owner after owner, over a model of the store and of the receivers, in random orders: what
 * is delivered first, how often, and what a message that kills its nodes can do.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type DeliveryAnswer, Outbox, type OutboxEffect, type OutboxInput } from "./outbox.ts";

const options = {
  ownFrom: Number.POSITIVE_INFINITY,
  deliveriesMax: 3,
  attemptsMax: 3,
  backoffBaseMs: 10,
  backoffMaxMs: 100,
};
const pairs = ["a", "b", "c"];

interface Row {
  attempts: number;
  parked: boolean;
  readonly pair: string;
}

class World {
  readonly rows = new Map<number, Row>();
  /** First effects at the receivers, by pair. */
  readonly applied = new Map<string, number[]>(pairs.map((pair) => [pair, []]));
  next = 1;
  now = 0;
  owner = new Outbox({ ...options, ownFrom: 1 });
  /** What was asked of the store and is not durable yet, in order. */
  writes: { readonly write: () => void; readonly then: OutboxInput | null }[] = [];
  underWay = new Map<number, string>();
  /** Up to which number this owner has read; null: to the end. */
  readThrough: number | null = 0;
  /** A message that ends its sender's node each time. */
  readonly killers = new Set<number>();
  readonly kills = new Map<number, number>();

  send(pair: string, killer: boolean): void {
    const number = this.next++;
    if (killer) this.killers.add(number);
    this.rows.set(number, { attempts: 0, parked: false, pair });
    this.step({ kind: "sent", letter: { number, pair, attempts: 0 } });
  }

  fail(): void {
    this.writes = [];
    this.underWay = new Map();
    this.owner = new Outbox({ ...options, ownFrom: this.next });
    this.readThrough = 0;
  }

  /** Rows as they are now, be they of this owner or of one before. */
  readPage(length: number): void {
    const rest = [...this.rows.keys()].filter((number) => number > this.readThrough!);
    const page = rest.slice(0, length);
    this.readThrough = page.length < length ? null : page.at(-1)!;
    const letters = page.flatMap((number) => {
      const row = this.rows.get(number);
      return row === undefined || row.parked ? [] : [{ number, pair: row.pair, attempts: row.attempts }];
    });
    const parked = page.filter((number) => this.rows.get(number)?.parked);
    this.step({ kind: "found", letters, parked, last: this.readThrough === null });
  }

  writeOne(): void {
    const one = this.writes.shift();
    one?.write();
    if (one?.then) this.step(one.then);
  }

  answer(number: number, answer: DeliveryAnswer, chance: number): void {
    this.underWay.delete(number);
    this.step({ kind: "answered", number, now: this.now, answer, chance });
  }

  apply(number: number): void {
    const { pair } = this.rows.get(number)!;
    const own = this.applied.get(pair)!;
    if (own.includes(number)) return;
    for (const [other, row] of this.rows) {
      const before = row.pair === pair && other < number && !own.includes(other);
      assert.ok(!before || row.parked, `${number} took effect before ${other} of the same pair`);
    }
    own.push(number);
  }

  step(input: OutboxInput): void {
    const effects = this.owner.step(input);
    for (const effect of effects) this.perform(effect);
    for (const effect of effects) if (effect.kind === "deliver") this.arrive(effect.number);
  }

  perform(effect: OutboxEffect): void {
    const row = this.rows.get(effect.number)!;
    assert.ok(row !== undefined, "every effect is about a row that is there");
    const { number } = effect;
    if (effect.kind === "deliver") {
      assert.ok(![...this.underWay.values()].includes(row.pair), "one at a time");
      assert.ok(this.underWay.size < options.deliveriesMax, "no more than the bound");
      assert.ok(effect.attempt === 1 || row.attempts >= effect.attempt, "counted before it leaves");
      this.underWay.set(number, row.pair);
    } else if (effect.kind === "count") {
      const write = (): void => void Object.assign(row, { attempts: effect.attempts });
      this.writes.push({ write, then: effect.waits ? { kind: "counted", number } : null });
    } else if (effect.kind === "park") {
      const write = (): void => void Object.assign(row, { parked: true, attempts: effect.attempts });
      this.writes.push({ write, then: { kind: "parked", number } });
    } else {
      assert.ok(this.applied.get(row.pair)!.includes(number), "only what took effect is settled");
      this.writes.push({ write: () => void this.rows.delete(number), then: { kind: "settled", number } });
    }
  }

  /** A killer takes its sender's node down in the very attempt. */
  arrive(number: number): void {
    if (!this.killers.has(number) || !this.underWay.has(number)) return;
    const kills = (this.kills.get(number) ?? 0) + 1;
    assert.ok(kills <= options.attemptsMax + 1, `${number} has killed ${kills} nodes`);
    this.kills.set(number, kills);
    this.fail();
  }

  settleDown(): void {
    for (let rounds = 0; rounds < 2_000; rounds++) {
      while (this.readThrough !== null) this.readPage(3);
      while (this.writes.length > 0) this.writeOne();
      for (const number of [...this.underWay.keys()]) {
        if (!this.underWay.has(number)) continue;
        this.apply(number);
        this.answer(number, { kind: "delivered" }, 0.5);
      }
      if (this.owner.nextAt !== null) this.now = Math.max(this.now, this.owner.nextAt);
      this.step({ kind: "time", now: this.now });
      if (this.owner.pending === 0 && this.writes.length === 0 && this.readThrough === null) return;
    }
    assert.fail(`it does not come to an end: ${JSON.stringify([...this.rows])}`);
  }
}

const step = fc.oneof(
  fc.record({ kind: fc.constant("send" as const), pair: fc.constantFrom(...pairs), killer: fc.nat(9) }),
  fc.record({
    kind: fc.constant("answer" as const),
    which: fc.nat(9),
    how: fc.constantFrom("delivered" as const, "waits" as const, "failed" as const, "applied, and failed" as const),
    chance: fc.double({ min: 0, max: 0.999, noNaN: true }),
  }),
  fc.record({ kind: fc.constant("pass" as const), ms: fc.nat(100) }),
  fc.constant({ kind: "write" } as const),
  fc.record({ kind: fc.constant("page" as const), length: fc.integer({ min: 1, max: 4 }) }),
  fc.constant({ kind: "fail" } as const),
);

test("owner after owner, each message takes effect in its pair's order or is parked, and a killer kills a bounded number of nodes", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200, size: "max" }), (steps) => {
      const world = new World();
      world.readPage(1);
      for (const one of steps) {
        if (one.kind === "send") world.send(one.pair, one.killer === 0);
        else if (one.kind === "write") world.writeOne();
        else if (one.kind === "page") {
          if (world.readThrough !== null) world.readPage(one.length);
        } else if (one.kind === "fail") world.fail();
        else if (one.kind === "pass") {
          world.now += one.ms;
          world.step({ kind: "time", now: world.now });
        } else if (world.underWay.size > 0) {
          const number = [...world.underWay.keys()][one.which % world.underWay.size]!;
          if (one.how === "delivered" || one.how === "applied, and failed") world.apply(number);
          const reason = { code: "internal", message: "it broke" };
          if (one.how === "delivered") world.answer(number, { kind: "delivered" }, one.chance);
          else if (one.how === "waits") world.answer(number, { kind: "waits", retryAfterMs: 0 }, one.chance);
          else world.answer(number, { kind: "failed", reason }, one.chance);
        }
      }
      world.settleDown();
      for (const row of world.rows.values()) assert.ok(row.parked, "what is left is parked");
      assert.equal(world.owner.length, world.rows.size);
    }),
    { numRuns: 500 },
  );
});

test("100,000 messages of earlier owners are taken in page by page, and leave nothing behind when they are delivered", () => {
  const outbox = new Outbox({ ...options, deliveriesMax: 64 });
  let left = 100_000;
  const queue: OutboxEffect[] = [];
  for (let from = 1; from <= 100_000; from += 1_000) {
    const letters = Array.from({ length: 1_000 }, (_, at) => ({
      number: from + at,
      pair: `p${(from + at) % 20_000}`,
      attempts: 0,
    }));
    queue.push(...outbox.step({ kind: "found", letters, parked: [], last: from > 99_000 }));
    if (from === 1) assert.equal(queue.length, 64, "delivery begins with the first page");
  }
  for (let effect = queue.pop(); effect !== undefined; effect = queue.pop()) {
    const { number } = effect;
    if (effect.kind === "count") queue.push(...outbox.step({ kind: "counted", number }));
    if (effect.kind === "settle") queue.push(...outbox.step({ kind: "settled", number }));
    if (effect.kind !== "deliver") continue;
    left -= 1;
    queue.push(...outbox.step({ kind: "answered", number, now: 0, answer: { kind: "delivered" }, chance: 0 }));
  }
  assert.equal(left, 0);
  assert.equal(outbox.length, 0);
});
