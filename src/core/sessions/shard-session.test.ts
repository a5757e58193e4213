import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Floor } from "./caller.ts";
import { SessionFloors } from "./receiver.ts";
import { ShardSession } from "./shard-session.ts";

function session(next = 1, openLengthMax = 2): ShardSession {
  const made = new ShardSession({ next, openLengthMax });
  made.foundThrough("inbox", Number.POSITIVE_INFINITY);
  made.foundThrough("outbox", Number.POSITIVE_INFINITY);
  return made;
}

test("a number that is not durable yet is promised to nobody, not even when it was given up", () => {
  const own = session();
  const first = own.take("account/1");
  own.settle(first);
  assert.deepEqual(own.floor("account/1"), { floor: 1, open: [] }, "the next owner may give it out again");
  const second = own.take("account/1");
  own.durable(second);
  assert.deepEqual(own.floor("account/1"), { floor: 3, open: [second] });
});

test("a floor speaks of what goes to its receiver, and of what may go anywhere", () => {
  const own = session();
  const [item, waiting, delivered] = [own.take(null), own.take("away/7"), own.take("account/1")];
  for (const number of [item, waiting, delivered]) own.durable(number);
  own.settle(delivered);
  assert.deepEqual(own.floor("account/1"), { floor: 4, open: [item] });
  assert.deepEqual(own.floor("away/7"), { floor: 4, open: [item, waiting] });
  own.settle(item);
  assert.deepEqual(own.floor("account/1"), { floor: 4, open: [] });
});

test("a floor stops below the first open number that it does not name", () => {
  const own = session();
  const numbers = [own.take("a"), own.take("a"), own.take("a"), own.take("a")];
  own.durable(numbers.at(-1)!);
  assert.deepEqual(own.floor("a"), { floor: 3, open: [1, 2] });
  own.settle(2);
  assert.deepEqual(own.floor("a"), { floor: 4, open: [1, 3] });
});

test("until the rows of earlier owners are known, all numbers from there on count as open", () => {
  const own = new ShardSession({ next: 100, openLengthMax: 2 });
  assert.deepEqual(own.floor("a"), { floor: 1, open: [] });
  own.found(10, "a");
  own.foundThrough("outbox", 50);
  assert.deepEqual(own.floor("a"), { floor: 1, open: [] }, "the inbox is not known");
  own.foundThrough("inbox", 40);
  assert.deepEqual(own.floor("a"), { floor: 41, open: [10] });
  own.foundThrough("inbox", Number.POSITIVE_INFINITY);
  own.foundThrough("outbox", Number.POSITIVE_INFINITY);
  assert.deepEqual(own.floor("a"), { floor: 100, open: [10] });
});

test("a row that is found after it was settled stays settled", () => {
  const own = new ShardSession({ next: 100, openLengthMax: 2 });
  own.found(10, null);
  own.settle(10);
  own.found(10, null);
  own.settle(20);
  own.found(20, "a");
  own.foundThrough("inbox", Number.POSITIVE_INFINITY);
  own.foundThrough("outbox", Number.POSITIVE_INFINITY);
  assert.deepEqual(own.floor("a"), { floor: 100, open: [] });
  assert.equal(own.openLength, 0);
});

test("a generation is a number of its own, and holds up no floor", () => {
  const own = session();
  const generation = own.takeGeneration();
  const number = own.take("a");
  assert.notEqual(generation, number);
  own.durable(number);
  assert.deepEqual(own.floor("a"), { floor: 3, open: [2] });
});

/** The store's part of one shard, and what its receivers have been promised. */
class World {
  next = 1;
  readonly rows = new Map<number, string | null>();
  readonly floors = new Map<string, SessionFloors>();
  owner: ShardSession;
  /** Given out in memory, with the commit that would make them durable still to come. */
  pending: { readonly number: number; readonly receiver: string | null }[] = [];
  unread: { source: "inbox" | "outbox"; number: number; receiver: string | null }[] = [];
  readonly #openLengthMax: number;

  constructor(openLengthMax: number) {
    this.#openLengthMax = openLengthMax;
    this.owner = this.claim();
  }

  claim(): ShardSession {
    this.pending = [];
    this.unread = [...this.rows]
      .toSorted(([a], [b]) => a - b)
      .map(([number, receiver]) => ({ source: receiver === null ? "inbox" : "outbox", number, receiver }));
    this.owner = new ShardSession({ next: this.next, openLengthMax: this.#openLengthMax });
    return this.owner;
  }

  /** One row of the pages, which shows it as it was at the claim. */
  readOne(source: "inbox" | "outbox"): void {
    const index = this.unread.findIndex((row) => row.source === source);
    if (index < 0) return this.owner.foundThrough(source, Number.POSITIVE_INFINITY);
    const [row] = this.unread.splice(index, 1);
    this.owner.found(row!.number, row!.receiver);
    this.owner.foundThrough(source, row!.number);
  }

  commit(): void {
    this.next = this.owner.next;
    for (const { number, receiver } of this.pending.splice(0)) {
      this.rows.set(number, receiver);
      this.owner.durable(number);
    }
  }

  /** The same to all receivers. */
  promiseAll(): Floor {
    const floor = this.owner.floor(null);
    for (const receiver of receivers) this.#promise(receiver, floor);
    return floor;
  }

  promise(receiver: string): Floor {
    return this.#promise(receiver, this.owner.floor(receiver));
  }

  #promise(receiver: string, floor: Floor): Floor {
    const own = this.floors.get(receiver) ?? new SessionFloors();
    this.floors.set(receiver, own);
    own.raise("s", floor);
    return floor;
  }

  check(): void {
    for (const [receiver, floors] of this.floors) {
      for (const [number, to] of this.rows) {
        if (to === null || to === receiver) assert.ok(!floors.isSettled("s", number), `${number} to ${receiver}`);
      }
      assert.ok(!floors.isSettled("s", this.next), "a number that the store may give out again");
    }
  }
}

const receivers = ["a", "b"];
const step = fc.oneof(
  fc.record({ kind: fc.constant("take" as const), receiver: fc.constantFrom(...receivers, null) }),
  fc.constant({ kind: "commit" } as const),
  fc.constant({ kind: "rollBack" } as const),
  fc.record({ kind: fc.constant("settle" as const), which: fc.nat(100) }),
  fc.record({ kind: fc.constant("promise" as const), receiver: fc.constantFrom(...receivers) }),
  fc.constant({ kind: "promiseAll" } as const),
  fc.record({ kind: fc.constant("read" as const), source: fc.constantFrom("inbox" as const, "outbox" as const) }),
  fc.constant({ kind: "claim" } as const),
);

test("through failovers, lost commits and pages in any order, nothing that may come again is ever promised away", () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 300, size: "max" }),
      fc.integer({ min: 0, max: 4 }),
      (steps, openLengthMax) => {
        const world = new World(openLengthMax);
        for (const one of steps) {
          if (one.kind === "take") {
            world.pending.push({ number: world.owner.take(one.receiver), receiver: one.receiver });
          } else if (one.kind === "commit") world.commit();
          else if (one.kind === "rollBack")
            for (const { number } of world.pending.splice(0)) world.owner.settle(number);
          else if (one.kind === "settle" && world.rows.size > 0) {
            const number = [...world.rows.keys()][one.which % world.rows.size]!;
            world.rows.delete(number);
            world.owner.settle(number);
          } else if (one.kind === "promise") {
            assert.ok(world.promise(one.receiver).open.length <= openLengthMax);
          } else if (one.kind === "promiseAll") world.promiseAll();
          else if (one.kind === "read") world.readOne(one.source);
          else if (one.kind === "claim") world.claim();
          world.check();
        }
        // When everything is read, durable and settled, everything may be forgotten.
        while (world.unread.length > 0) world.readOne(world.unread[0]!.source);
        for (const source of ["inbox", "outbox"] as const) world.readOne(source);
        const last = world.owner.take("a");
        world.pending.push({ number: last, receiver: "a" });
        world.commit();
        for (const number of [...world.rows.keys()]) {
          world.rows.delete(number);
          world.owner.settle(number);
        }
        assert.deepEqual(world.owner.floor("a"), { floor: last + 1, open: [] });
        assert.deepEqual(world.owner.floor(null), { floor: last + 1, open: [] });
        assert.equal(world.owner.openLength, 0);
      },
    ),
    { numRuns: 300 },
  );
});

test("100,000 open numbers behind one that stays open are settled in a moment, and leave nothing behind", () => {
  const own = session(1, 64);
  const stays = own.take("a");
  const numbers = Array.from({ length: 100_000 }, () => own.take("a"));
  own.durable(numbers.at(-1)!);
  let floors = 0;
  for (const number of numbers.toReversed()) {
    own.settle(number);
    if (number % 100 === 0) floors += own.floor("a").open.length;
  }
  assert.ok(floors > 0);
  assert.deepEqual(own.floor("a"), { floor: own.next, open: [stays] });
});
