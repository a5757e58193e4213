import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { HighestNumbers } from "./highest.ts";

test("until the store has said what it has of a session, every call of it may have a record", () => {
  const highest = new HighestNumbers();
  assert.ok(highest.arrived("s", 5));
  assert.ok(highest.ask("s"));
  assert.ok(!highest.ask("s"), "it is asked once");
  assert.ok(highest.arrived("s", 6));
  highest.answered("s", 3);
  assert.ok(highest.arrived("s", 6), "a copy");
  assert.ok(highest.arrived("s", 4), "one that was outrun");
  assert.ok(!highest.arrived("s", 7));
  assert.ok(highest.arrived("t", 8), "another session");
});

test("what the store could not say is asked again", () => {
  const highest = new HighestNumbers();
  assert.ok(highest.ask("s"));
  highest.answered("s", null);
  assert.ok(highest.arrived("s", 1));
  assert.ok(highest.ask("s"));
  highest.answered("s", 0);
  assert.ok(!highest.arrived("s", 2));
});

test("a call is never taken for new whose number was recorded before, by this owner or an earlier one", () => {
  const number = fc.integer({ min: 1, max: 12 });
  const step = fc.oneof(
    fc.record({ kind: fc.constant("arrive" as const), number }),
    // Of a command that an earlier owner had accepted: its call does not come here.
    fc.record({ kind: fc.constant("finish" as const), number }),
    fc.record({ kind: fc.constant("answer" as const), fails: fc.boolean() }),
    fc.constant({ kind: "claim" } as const),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100, size: "max" }), (steps) => {
      const recorded = new Set<number>();
      let highest = new HighestNumbers();
      let asked = false;
      for (const one of steps) {
        if (one.kind === "arrive") {
          const may = highest.arrived("s", one.number);
          assert.ok(may || !recorded.has(one.number), `${one.number} was recorded`);
          if (may && highest.ask("s")) asked = true;
          recorded.add(one.number);
        } else if (one.kind === "finish") {
          highest.recorded("s", one.number);
          recorded.add(one.number);
        } else if (one.kind === "answer" && asked) {
          asked = false;
          highest.answered("s", one.fails ? null : Math.max(0, ...recorded));
        } else if (one.kind === "claim") {
          highest = new HighestNumbers();
          asked = false;
        }
      }
    }),
  );
});
