import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { TimerPlace, TimerRow } from "../../ports/work.ts";
import { type FailedFiring, Timers, type TimersEffect, type TimersInput, type TimersOptions } from "./timers.ts";

const options: TimersOptions = {
  ownFrom: 0,
  lengthMax: 8,
  pageLengthMax: 3,
  inputLengthMax: 1_000,
  overdueMax: 6,
  firingsMax: 3,
  attemptsMax: 3,
  backoffBaseMs: 10,
  backoffMaxMs: 100,
};

const failed: FailedFiring = { code: "internal", message: "it broke", thrown: "Error: broken" };

function row(key: string, name: string, generation: number, dueAt: number, input: string | null = null): TimerRow {
  const sender = { principal: "", request: "", traceparent: null };
  return {
    key,
    name,
    generation,
    dueAt,
    service: null,
    target: null,
    operation: "ring",
    input,
    ...sender,
    attempts: 0,
  };
}

/** Timers of a shard without any. */
function timers(own: Partial<TimersOptions> = {}): Timers {
  const made = new Timers({ ...options, ...own });
  assert.deepEqual(made.step({ kind: "claimed" }), [{ kind: "read", after: null, limit: 3 }]);
  made.step({ kind: "page", rows: [], next: null });
  return made;
}

const set = (own: TimerRow): TimersInput => ({ kind: "set", row: own });
const fired = (
  { key, name, generation }: TimerRow,
  outcome: "done" | "waits" | FailedFiring,
  now: number,
): Extract<TimersInput, { kind: "fired" }> => {
  return { kind: "fired", key, name, generation, now, outcome, chance: 0.5 };
};
const fires = (effects: readonly TimersEffect[]) =>
  effects.flatMap((effect) => (effect.kind === "fire" ? [effect.row.generation] : []));

test("timers fire in the order of their instants, and the earliest says when to look", () => {
  const own = timers();
  assert.equal(own.nextAt, null);
  own.step(set(row("a", "x", 1, 200)));
  own.step(set(row("b", "x", 2, 100)));
  assert.equal(own.nextAt, 100);
  assert.deepEqual(fires(own.step({ kind: "time", now: 99 })), []);
  assert.deepEqual(fires(own.step({ kind: "time", now: 250 })), [2, 1]);
});

test("what is set anew or cleared does not fire", () => {
  const own = timers();
  own.step(set(row("a", "x", 1, 100)));
  own.step(set(row("a", "x", 2, 300)));
  own.step(set(row("a", "y", 3, 100)));
  own.step({ kind: "cleared", key: "a", name: "y" });
  assert.deepEqual(fires(own.step({ kind: "time", now: 200 })), []);
  assert.ok(own.isSet("a", "x", 2) && !own.isSet("a", "x", 1) && !own.isSet("a", "y", 3));
  assert.equal(own.nextAt, 300);
});

test("a timer that could not run is tried again without end, one whose command fails is exhausted after its attempts", () => {
  const own = timers();
  const timer = row("a", "x", 1, 0);
  own.step(set(timer));
  let now = 0;
  const again = (): readonly TimersEffect[] => {
    now = own.nextAt!;
    return own.step({ kind: "time", now });
  };
  for (let tries = 0; tries < 20; tries++) {
    assert.deepEqual(fires(again()), [1]);
    own.step(fired(timer, "waits", now));
  }
  for (let tries = 0; tries < 2; tries++) {
    assert.deepEqual(fires(again()), [1]);
    own.step(fired(timer, failed, now));
  }
  assert.deepEqual(fires(again()), [1]);
  const exhausted = { kind: "exhausted", row: timer, last: failed };
  assert.deepEqual(own.step(fired(timer, failed, now)), [exhausted]);
  assert.deepEqual(again(), [exhausted], "the store did not take it");
  own.step({ kind: "cleared", key: "a", name: "x" });
  now += 1_000;
  assert.deepEqual(own.step({ kind: "time", now }), []);
  assert.equal(own.nextAt, null);
});

test("what an earlier owner may have tried is counted before it is tried again, and uncounted when it could not run", () => {
  const own = timers({ ownFrom: 10 });
  const [left, made] = [row("a", "x", 9, 0), row("a", "y", 10, 0)];
  own.step(set(left));
  own.step(set(made));
  assert.deepEqual(own.step({ kind: "time", now: 0 }), [
    { kind: "fire", row: left, count: 1 },
    { kind: "fire", row: made, count: null },
  ]);
  assert.deepEqual(own.step(fired(left, "waits", 0)), [{ kind: "uncount", row: left, attempts: 0 }]);
  assert.deepEqual(own.step(fired(made, failed, 0)), []);
  assert.deepEqual(own.step({ kind: "time", now: 5 }), [
    { kind: "fire", row: left, count: 1 },
    { kind: "fire", row: made, count: 2 },
  ]);
  assert.deepEqual(own.step(fired(left, failed, 5)), [], "it was counted");
});

test("a timer whose owners died over each of its tries is not tried once more", () => {
  const own = timers();
  const timer = { ...row("a", "x", 1, 0), attempts: 3 };
  own.step(set(timer));
  const exhausted = { kind: "exhausted", row: timer, last: null };
  assert.deepEqual(own.step({ kind: "time", now: 0 }), [exhausted]);
  assert.deepEqual(own.step({ kind: "time", now: own.nextAt! }), [exhausted], "until the store has taken that");
  own.step({ kind: "cleared", key: "a", name: "x" });
  assert.deepEqual(own.step({ kind: "time", now: 1_000 }), []);
  // A message that is due runs no code here: its tries are counted in the outbox.
  const delayed = { ...row("a", "#1", 2, 1_000), service: "post" };
  own.step(set(delayed));
  assert.deepEqual(own.step({ kind: "time", now: 1_000 }), [{ kind: "fire", row: delayed, count: null }]);
});

test("delayed messages that could not leave do so in their order, also before those that have come due meanwhile", () => {
  const own = timers({ firingsMax: 2 });
  const delayed = (generation: number, dueAt: number): TimerRow => {
    return { ...row("a", `#${generation}`, generation, dueAt), service: "box", target: "b" };
  };
  const [first, second, third, later] = [delayed(1, 100), delayed(2, 100), delayed(3, 100), delayed(4, 102)];
  for (const one of [first, second, third, later, row("a", "x", 5, 103)]) own.step(set(one));
  const waits = (one: TimerRow, now: number, chance: number) => own.step({ ...fired(one, "waits", now), chance });
  const leaves = (one: TimerRow): void => {
    own.step({ kind: "cleared", key: one.key, name: one.name });
    own.step(fired(one, "done", 200));
  };
  assert.deepEqual(fires(own.step({ kind: "time", now: 100 })), [1, 2]);
  waits(first, 100, 0.9);
  waits(second, 100, 0.1);
  assert.deepEqual(fires(own.step({ kind: "time", now: 103 })), [5], "timers do not wait for them");
  assert.equal(own.nextAt, 109);
  leaves(row("a", "x", 5, 103));
  assert.deepEqual(fires(own.step({ kind: "time", now: 109 })), [1, 2]);
  leaves(first);
  assert.deepEqual(fires(own.step({ kind: "time", now: 110 })), [3]);
  waits(second, 110, 0.5);
  waits(third, 110, 0);
  assert.equal(own.nextAt, 120);
  assert.deepEqual(fires(own.step({ kind: "time", now: 120 })), [2, 3]);
  leaves(second);
  own.step({ kind: "cleared", key: "a", name: "#3" });
  own.step(fired(third, "done", 120));
  assert.deepEqual(fires(own.step({ kind: "time", now: 121 })), [4]);
  leaves(later);
  assert.equal(own.nextAt, null);
});

test("no more than the bound fire at once", () => {
  const own = timers();
  const rows = [1, 2, 3, 4].map((generation) => row("a", `x${generation}`, generation, generation));
  for (const one of rows) own.step(set(one));
  assert.deepEqual(fires(own.step({ kind: "time", now: 10 })), [1, 2, 3]);
  assert.equal(own.nextAt, null);
  own.step(fired(rows[0]!, "done", 10));
  own.step({ kind: "cleared", key: "a", name: "x1" });
  assert.equal(own.nextAt, 4);
  assert.deepEqual(fires(own.step({ kind: "time", now: 11 })), [4]);
});

test("rows with long inputs are put back, and not fetched again before those in front of them have gone", () => {
  const own = timers({ inputLengthMax: 100 });
  const long = "x".repeat(60);
  assert.deepEqual(own.step(set(row("a", "x", 1, 100, long))), []);
  assert.deepEqual(own.step(set(row("a", "y", 2, 200, long))), []);
  assert.equal(own.lengthInMemory, 1);
  assert.deepEqual(own.step({ kind: "time", now: 100 }), [
    { kind: "fire", row: row("a", "x", 1, 100, long), count: null },
    { kind: "read", after: { dueAt: 200, key: "", name: "" }, limit: 3 },
  ]);
});

test("a page that was asked for before rows in front of it were put back is not joined on", () => {
  const own = new Timers({ ...options, lengthMax: 4, firingsMax: 9, overdueMax: 9 });
  own.step({ kind: "claimed" });
  const [first, second] = [row("a", "x1", 1, 100), row("a", "x2", 2, 200)];
  own.step({ kind: "page", rows: [first, second], next: second });
  const [, read] = own.step({ kind: "time", now: 100 });
  assert.deepEqual(read, { kind: "read", after: second, limit: 3 });
  for (const at of [110, 120, 130, 140]) own.step(set(row("b", `y${at}`, at, at)));
  assert.ok(!own.isSet("a", "x2", 2), "it was put back");
  own.step({ kind: "page", rows: [], next: null });
  assert.ok(!own.complete);
  const effects = own.step({ kind: "time", now: 140 });
  assert.deepEqual(effects.at(-1), { kind: "read", after: { dueAt: 200, key: "", name: "" }, limit: 3 });
});

/** The store's part, and the entities': what was committed in which order, and what ran. */
class World {
  readonly rows = new Map<string, TimerRow>();
  /** Of each generation: set, then run, or void. */
  readonly state = new Map<number, "set" | "ran" | "void">();
  owner = new Timers(options);
  generations = 0;
  now = 0;
  page: { rows: TimerRow[]; next: TimerPlace | null } | null = null;
  firing: TimerRow[] = [];
  reads = 0;

  constructor() {
    this.claim();
  }

  claim(): void {
    this.owner = new Timers(options);
    this.page = null;
    this.firing = [];
    this.step({ kind: "claimed" });
  }

  set(key: string, name: string, afterMs: number): void {
    const own = row(key, name, ++this.generations, this.now + afterMs);
    this.void(key, name);
    this.rows.set(`${key}/${name}`, own);
    this.state.set(own.generation, "set");
    this.step(set(own));
  }

  clear(key: string, name: string): void {
    this.void(key, name);
    this.rows.delete(`${key}/${name}`);
    this.step({ kind: "cleared", key, name });
  }

  void(key: string, name: string): void {
    const before = this.rows.get(`${key}/${name}`);
    if (before !== undefined) this.state.set(before.generation, "void");
  }

  answerRead(): void {
    const page = this.page;
    this.page = null;
    if (page !== null) this.step({ kind: "page", ...page });
  }

  /** As the runtime does it: the turn asks whether the timer is still set, and the change clears the row. */
  run(index: number, outcome: "runs" | "waits" | "fails", chance: number): void {
    const [own] = this.firing.splice(index % this.firing.length, 1);
    const { key, name, generation } = own!;
    const end = (how: "done" | "waits" | FailedFiring): void =>
      this.step({ kind: "fired", key, name, generation, now: this.now, outcome: how, chance });
    if (outcome !== "runs") return end(outcome === "waits" ? "waits" : failed);
    if (!this.owner.isSet(key, name, generation)) return end("done");
    assert.equal(this.state.get(generation), "set", `generation ${generation} runs once, and only while it is set`);
    assert.ok(own!.dueAt <= this.now, "not before its time");
    this.state.set(generation, "ran");
    this.rows.delete(`${key}/${name}`);
    this.step({ kind: "cleared", key, name });
    end("done");
  }

  step(input: TimersInput): void {
    for (const effect of this.owner.step(input)) {
      if (effect.kind === "read") this.read(effect.after, effect.limit);
      else if (effect.kind === "fire") this.firing.push(effect.row);
      else this.park(effect.row);
    }
    assert.ok(this.owner.lengthInMemory <= options.lengthMax + options.overdueMax, "memory is bounded");
    assert.ok(this.firing.length <= options.firingsMax);
  }

  park({ key, name, generation }: TimerRow): void {
    const now = this.rows.get(`${key}/${name}`);
    if (now?.generation !== generation) return;
    this.state.set(generation, "ran");
    this.rows.delete(`${key}/${name}`);
    this.step({ kind: "cleared", key, name });
  }

  read(after: TimerPlace | null, limit: number): void {
    this.reads += 1;
    const order = (a: TimerPlace, b: TimerPlace): number =>
      a.dueAt - b.dueAt || (a.key < b.key ? -1 : a.key > b.key ? 1 : a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
    const all = [...this.rows.values()].toSorted(order).filter((own) => after === null || order(own, after) > 0);
    const rows = all.slice(0, limit);
    this.page = { rows, next: all.length > limit ? rows.at(-1)! : null };
  }
}

const key = fc.constantFrom("a", "b", "c", "d");
const name = fc.constantFrom("x", "y", "z", "u", "v");
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("set" as const), key, name, afterMs: fc.nat(60) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("clear" as const), key, name }) },
  { weight: 2, arbitrary: fc.constant({ kind: "page" } as const) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: fc.nat(30) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("run" as const),
      which: fc.nat(9),
      how: fc.constantFrom("runs" as const, "waits" as const, "fails" as const),
      chance: fc.double({ min: 0, max: 0.999, noNaN: true }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "claim" } as const) },
);

test("through pages, bounds and changes of owner, every timer that is not cleared runs once, and no other does", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200, size: "max" }), (steps) => {
      const world = new World();
      for (const one of steps) {
        if (one.kind === "set") world.set(one.key, one.name, one.afterMs);
        else if (one.kind === "clear") world.clear(one.key, one.name);
        else if (one.kind === "page") world.answerRead();
        else if (one.kind === "claim") world.claim();
        else if (one.kind === "run") {
          if (world.firing.length > 0) world.run(one.which, one.how, one.chance);
        } else {
          world.now += one.ms;
          world.step({ kind: "time", now: world.now });
        }
      }
      for (let rounds = 0; rounds < 500 && world.rows.size > 0; rounds++) {
        world.answerRead();
        while (world.firing.length > 0) world.run(0, "runs", 0.5);
        world.now = Math.max(world.now, world.owner.nextAt ?? world.now);
        world.step({ kind: "time", now: world.now });
      }
      assert.deepEqual(
        [...world.state.values()].filter((state) => state === "set"),
        [],
      );
    }),
    { numRuns: 500 },
  );
});

test("while nothing is due nothing is read, however many timers there are", () => {
  const world = new World();
  world.answerRead();
  for (let number = 0; number < 1_000; number++) world.set("a", `n${number}`, 1_000 + number);
  const { reads } = world;
  for (let now = 0; now < 1_000; now += 10) world.step({ kind: "time", now });
  assert.equal(world.reads, reads);
  assert.equal(world.owner.nextAt, 1_000);
});
