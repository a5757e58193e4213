import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SmallMap } from "./small-map.ts";

interface Step {
  readonly kind: "set" | "delete" | "clear";
  readonly key: number;
}

test("it holds what a Map holds, in the same order, whatever is put in and taken out", () => {
  const key = fc.nat(3);
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom("set", "delete"), key }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("clear"), key }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const [small, model] = [
        new SmallMap<number, { readonly at: number }>(),
        new Map<number, { readonly at: number }>(),
      ];
      for (const [at, { kind, key }] of steps.entries()) {
        if (kind === "delete") assert.equal(small.delete(key), model.delete(key));
        else if (kind === "clear") for (const map of [small, model]) map.clear();
        else for (const map of [small, model]) map.set(key, { at });
        assert.equal(small.size, model.size);
        assert.deepEqual(small.values(), [...model.values()]);
        for (let one = 0; one <= 3; one++) {
          assert.deepEqual(small.get(one), model.get(one));
          assert.equal(small.has(one), model.has(one));
        }
      }
    }),
    { numRuns: 300 },
  );
});
