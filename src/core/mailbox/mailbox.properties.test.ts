/** Random schedules of one mailbox; the rules that must hold at every step stand in `world.test.ts`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { LookupAnswer } from "./messages.ts";
import { World } from "./world.test.ts";

const mailboxLengthMax = 5;

/** What happens next; a `pick` chooses among what is possible at that moment. */
type Event =
  | { kind: "arrive"; id: string | null; input: string }
  | { kind: "loaded" | "depart" | "shed" }
  | { kind: "looked"; pick: number; answer: LookupAnswer }
  | { kind: "finish"; changed: boolean }
  | { kind: "durable" | "expire" | "late"; pick: number }
  | { kind: "rollBack"; pick: number; culprit: boolean };

const pick = fc.nat(1_000);
const input = fc.oneof({ weight: 5, arbitrary: fc.constant("a") }, { weight: 1, arbitrary: fc.constant("b") });
const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("arrive"),
      id: fc.constantFrom(null, "x", "y", "new"),
      input,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("loaded", "shed") }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("depart") }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("looked"),
      pick,
      answer: fc.constantFrom("absent", "absent", "absent", "found", "failed", "forgotten"),
    }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("finish"), changed: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("durable"), pick }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("expire"), pick }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("late"), pick }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("rollBack"), pick, culprit: fc.boolean() }) },
);
const schedule = fc.array(event, { maxLength: 60, size: "max" });

function happen(world: World, event: Event): void {
  switch (event.kind) {
    case "arrive":
      // A driver may know that an id is new, so that the store cannot hold its record.
      return void world.arrive(event.id, event.id === null ? null : event.input, event.id === "x" || event.id === "y");
    case "loaded":
      return world.loaded();
    case "depart":
      return world.depart();
    case "shed":
      return world.shed();
    case "looked":
      if (world.looking.length > 0) world.looked(world.looking[event.pick % world.looking.length]!, event.answer);
      return;
    case "finish":
      return world.finish(event.changed);
    case "durable":
      if (world.undurable > 0) world.becomeDurable(1 + (event.pick % world.undurable));
      return;
    case "expire":
      if (world.lastToken > 0) world.expire(1 + (event.pick % world.lastToken));
      return;
    case "late":
      return world.late(world.abandoned[event.pick % world.abandoned.length]);
    case "rollBack":
      if (world.undurable > 0) world.rollBack(1 + (event.pick % world.undurable), event.culprit);
  }
}

test("whatever happens in whatever order, each caller gets one answer, and only when its exit gate is open", () => {
  fc.assert(
    fc.property(schedule, (events) => {
      const world = new World(mailboxLengthMax);
      for (const event of events) happen(world, event);
      world.settle();
      assert.equal(world.answers.size, world.lastToken);
    }),
    { numRuns: 3_000 },
  );
});

test("a drop at any moment answers everybody, and says unknown exactly of changes in the unknown commit", () => {
  fc.assert(
    fc.property(schedule, pick, (events, pick) => {
      const world = new World(mailboxLengthMax);
      for (const event of events) happen(world, event);
      world.drop(pick % (world.memory.length + 1));
      assert.equal(world.answers.size, world.lastToken);
      assert.throws(() => world.mailbox.step({ kind: "loaded" }), /a dropped mailbox takes no input/);
    }),
    { numRuns: 1_500 },
  );
});

test("of changes that are refused together only the bad ones fail, and all others are answered", () => {
  const command = fc.record({ bad: fc.boolean(), changes: fc.boolean() });
  const batch = fc.record({ arrivals: fc.array(command, { maxLength: 6 }), turns: fc.nat(6), commit: pick });
  fc.assert(
    fc.property(fc.array(batch, { maxLength: 8 }), (batches) => {
      const world = new World(1_000);
      const commands = new Map<number, { bad: boolean; changes: boolean }>();
      world.loaded();
      /** The store: refuses the first `count` undurable changes if one of them is bad. */
      const commit = (count: number): void => {
        const sent = world.memory.slice(world.durable.length, world.durable.length + count);
        const refused = sent.some((name) => commands.get(Math.trunc(Number(name)))!.bad);
        if (refused) world.rollBack(count, true);
        else world.becomeDurable(count);
      };
      const finish = (): void => {
        if (world.running !== null) world.finish(commands.get(world.running.command.token)!.changes);
      };
      for (const { arrivals, turns, commit: pick } of batches) {
        for (const arrival of arrivals) commands.set(world.arrive(null, null), arrival);
        for (let turn = 0; turn < turns; turn++) finish();
        if (world.undurable > 0) commit(1 + (pick % world.undurable));
      }
      for (let left = 1_000; world.commands.length > 0; left--) {
        assert.ok(left > 0, "somebody starves");
        finish();
        if (world.undurable > 0) commit(world.undurable);
      }
      for (const [token, { bad, changes }] of commands) {
        assert.equal(world.answers.get(token), bad && changes ? "rolled-back" : "release");
      }
    }),
    { numRuns: 1_000 },
  );
});
