import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Heap } from "./heap.ts";

test("a heap gives back in ascending order whatever was put in, also while more is put in", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("add" as const), value: fc.integer() }),
    fc.constant({ kind: "take" } as const),
    fc.record({ kind: fc.constant("keep" as const), above: fc.integer() }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const heap = new Heap<number>((a, b) => a < b);
      let model: number[] = [];
      for (const one of steps) {
        if (one.kind === "add") {
          heap.add(one.value);
          model = [...model, one.value].toSorted((a, b) => a - b);
        } else if (one.kind === "take") {
          assert.equal(heap.first, model[0]);
          assert.equal(heap.take(), model.shift());
        } else {
          heap.keep((value) => value > one.above);
          model = model.filter((value) => value > one.above);
        }
        assert.equal(heap.length, model.length);
      }
    }),
  );
});
