/** Random schedules of one committer; the rules that must hold at every step stand in `world.test.ts`. */
import { test } from "node:test";
import fc from "fast-check";
import type { ProgressForm } from "./pending.test.ts";
import { type ChangeForm, World } from "./world.test.ts";

type Event =
  | { kind: "change"; shard: number; key: string; change: ChangeForm }
  | { kind: "progress"; shard: number; form: ProgressForm; pick: number }
  | { kind: "flush" | "act" }
  | { kind: "trip"; hurry: boolean }
  | { kind: "answer"; answer: "truth" | "failed" | "unknown"; hurry: boolean }
  | { kind: "drop" | "steal"; shard: number }
  | { kind: "tamper"; shard: number; key: string };

const shard = fc.nat(2);
const key = fc.constantFrom("a", "b", "c");
const change: fc.Arbitrary<ChangeForm> = fc.record({
  form: fc.constantFrom("set", "set", "clear", "record"),
  bad: fc.nat(7).map((number) => number === 0),
  size: fc.constantFrom(1, 20, 150, 350),
  work: fc.constantFrom("none", "none", "none", "accept", "finish", "pass", "send", "set", "clear"),
  floors: fc.uniqueArray(fc.constantFrom("node 1", "node 2"), { maxLength: 2 }),
  requires: fc.option(fc.nat(5), { freq: 3 }),
});
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 20, arbitrary: fc.record({ kind: fc.constant("change"), shard, key, change }) },
  {
    weight: 14,
    arbitrary: fc.record({
      kind: fc.constant("progress"),
      shard,
      form: fc.constantFrom("attempt", "record", "bad", "drop", "retry", "settle", "release"),
      pick: fc.nat(20),
    }),
  },
  { weight: 8, arbitrary: fc.record({ kind: fc.constantFrom("flush", "act") }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("answer"),
      answer: fc.constantFrom("truth", "truth", "truth", "failed", "unknown"),
      hurry: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("drop"), shard }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("steal"), shard }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("tamper"), shard, key }) },
);
/** Much pending work of few entities, most of it durable soon. */
const busyEvent: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant("change"),
      shard: fc.constant(0),
      key: fc.constantFrom("a", "b"),
      change: fc.record({
        form: fc.constant("record"),
        bad: fc.nat(11).map((number) => number === 0),
        size: fc.constant(1),
        work: fc.constantFrom("accept", "finish", "pass", "send", "set", "set", "clear"),
        floors: fc.constant([]),
        requires: fc.option(fc.nat(5), { freq: 3 }),
      }),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant("progress"),
      shard: fc.constant(0),
      form: fc.constantFrom("attempt", "record", "record", "bad", "drop", "retry", "settle", "release", "release"),
      pick: fc.nat(5),
    }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("trip"), hurry: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("answer"),
      answer: fc.constantFrom("failed", "unknown"),
      hurry: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("flush") }) },
);
const schedule = fc.array(event, { maxLength: 80, size: "max" });

function happen(world: World, event: Event): void {
  switch (event.kind) {
    case "change":
      return world.change(event.shard, event.key, event.change);
    case "progress":
      return world.progress(event.shard, event.form, event.pick);
    case "flush":
      return world.flush();
    case "act":
      return world.act();
    case "trip":
      world.flush();
      return world.answer("truth", event.hurry);
    case "answer":
      return world.answer(event.answer, event.hurry);
    case "drop":
      return world.drop(event.shard);
    case "steal":
      return world.steal(event.shard);
    case "tamper":
      return world.tamper(event.shard, event.key);
  }
}

test("every change is reported once, and the report is what the store did", () => {
  fc.assert(
    fc.property(schedule, (events) => {
      const world = new World();
      for (const event of events) happen(world, event);
      world.settle();
    }),
    { numRuns: 2_500 },
  );
});

test("pending work is, after every commit, as if everything had been applied in the order in which it was said", () => {
  const busy = fc.array(busyEvent, { maxLength: 60, size: "max" });
  fc.assert(
    fc.property(busy, (events) => {
      const world = new World({ batchBytesMax: 3_000, batchCommandsMax: 12 });
      for (const event of events) happen(world, event);
      world.settle();
    }),
    { numRuns: 1_500 },
  );
});

test("after the end nothing is sent, and what was under way in a broken store stays unknown", () => {
  fc.assert(
    fc.property(schedule, fc.constantFrom("ended", "broken"), fc.boolean(), (events, end, applied) => {
      const world = new World();
      for (const event of events) happen(world, event);
      if (world.underWay?.result === null) {
        if (applied && end === "broken") world.act();
        world.answer(end);
      }
      world.settle();
    }),
    { numRuns: 1_000 },
  );
});
