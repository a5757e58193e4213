/** Random schedules of one committer; the rules that must hold at every step stand in `world.test.ts`. */
import { test } from "node:test";
import fc from "fast-check";
import { type ChangeForm, World } from "./world.test.ts";

type Event =
  | { kind: "change"; shard: number; key: string; change: ChangeForm }
  | { kind: "flush" | "act" }
  | { kind: "answer"; answer: "truth" | "failed" | "unknown" }
  | { kind: "drop" | "steal"; shard: number }
  | { kind: "tamper"; shard: number; key: string };

const shard = fc.nat(2);
const key = fc.constantFrom("a", "b", "c");
const change: fc.Arbitrary<ChangeForm> = fc.record({
  form: fc.constantFrom("set", "set", "clear", "record"),
  bad: fc.nat(7).map((number) => number === 0),
  size: fc.constantFrom(1, 20, 60, 120),
  floors: fc.uniqueArray(fc.constantFrom("node 1", "node 2"), { maxLength: 2 }),
});
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 20, arbitrary: fc.record({ kind: fc.constant("change"), shard, key, change }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constantFrom("flush", "act") }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("answer"),
      answer: fc.constantFrom("truth", "truth", "truth", "failed", "unknown"),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("drop"), shard }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("steal"), shard }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("tamper"), shard, key }) },
);
const schedule = fc.array(event, { maxLength: 80, size: "max" });

function happen(world: World, event: Event): void {
  switch (event.kind) {
    case "change":
      return world.change(event.shard, event.key, event.change);
    case "flush":
      return world.flush();
    case "act":
      return world.act();
    case "answer":
      return world.answer(event.answer);
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
