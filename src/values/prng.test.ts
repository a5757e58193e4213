import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createPrng } from "./prng.ts";

test("a seed gives the same sequence on every machine", () => {
  const prng = createPrng(42);
  assert.deepEqual(
    [prng.uint32(), prng.uint32(), prng.uint32(), prng.number(), prng.below(100)],
    [660444221, 3652823732, 77672526, 0.2119302863992052, 77],
  );
});

test("close seeds give unrelated sequences", () => {
  const firsts = Array.from({ length: 1_000 }, (_, seed) => createPrng(seed).uint32());
  assert.equal(new Set(firsts).size, firsts.length);
  const mean = firsts.reduce((sum, value) => sum + value / 2 ** 32, 0) / firsts.length;
  assert.ok(Math.abs(mean - 0.5) < 0.05, `mean ${mean}`);
});

test("numbers lie in [0, 1) and integers below their bound, each about equally often", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 2 ** 32 }), (seed, bound) => {
      const prng = createPrng(seed);
      const drawn = prng.below(bound);
      assert.ok(Number.isInteger(drawn) && drawn >= 0 && drawn < bound);
      const number = prng.number();
      assert.ok(number >= 0 && number < 1);
    }),
  );
  const counts = [0, 0, 0];
  const prng = createPrng(1);
  for (let n = 0; n < 9_000; n++) counts[prng.below(3)]!++;
  assert.ok(Math.min(...counts) > 2_800, String(counts));
});

test("a bound that does not divide 2^32 favours nothing", () => {
  // Taken modulo 3 * 2^30, numbers below 2^30 would come up half of the time instead of a third.
  const prng = createPrng(1);
  let low = 0;
  for (let n = 0; n < 9_000; n++) if (prng.below(3 * 2 ** 30) < 2 ** 30) low++;
  assert.ok(Math.abs(low - 3_000) < 250, `${low} of 9000`);
});

test("a bound that no integer lies below is refused", () => {
  for (const bound of [0, -1, 1.5, Number.NaN, 2 ** 33]) assert.throws(() => createPrng(1).below(bound), RangeError);
});
