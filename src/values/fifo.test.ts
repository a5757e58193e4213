import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Fifo } from "./fifo.ts";

test("a fifo gives back what was put in first, and what was taken out of the middle never", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("add" as const), count: fc.integer({ min: 1, max: 900 }) }),
    fc.record({ kind: fc.constant("take" as const), count: fc.integer({ min: 1, max: 900 }) }),
    fc.record({ kind: fc.constant("remove" as const), value: fc.nat(2_000) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const fifo = new Fifo<number>();
      const model: number[] = [];
      let last = 0;
      for (const one of steps) {
        for (let index = 0; one.kind !== "remove" && index < one.count; index++) {
          if (one.kind === "take") assert.equal(fifo.take(), model.shift());
          else {
            fifo.add(++last);
            model.push(last);
          }
        }
        if (one.kind === "remove") {
          fifo.remove(one.value);
          if (model.includes(one.value)) model.splice(model.indexOf(one.value), 1);
        }
        assert.equal(fifo.length, model.length);
      }
    }),
  );
});
