import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { countOf, emptyHistogram, type Histogram, histogramSince, mergedHistogram, quantileMs } from "./histogram.ts";

function histogramOf(values: readonly number[]): Histogram {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return { counts: [...counts].sort(([a], [b]) => a - b), sumUs: values.reduce((sum, value) => sum + value, 0) };
}

const values = fc.array(fc.nat(1_000), { maxLength: 100 });

test("what several nodes recorded, merged, is what one would have recorded", () => {
  fc.assert(
    fc.property(fc.array(values, { maxLength: 4 }), (nodes) => {
      assert.deepEqual(mergedHistogram(nodes.map(histogramOf)), histogramOf(nodes.flat()));
    }),
  );
});

test("what a later look has more than an earlier one is what happened in between", () => {
  fc.assert(
    fc.property(values, values, (before, more) => {
      assert.deepEqual(histogramSince(histogramOf([...before, ...more]), histogramOf(before)), histogramOf(more));
    }),
  );
});

test("a process that started again has recorded all of it since", () => {
  const later = histogramOf([5]);
  assert.deepEqual(histogramSince(later, histogramOf([5, 6, 7])), later);
});

test("a quantile is the least value that so many values do not exceed", () => {
  const hundred = histogramOf(Array.from({ length: 100 }, (_, index) => (index + 1) * 1_000));
  assert.deepEqual(
    [0, 0.5, 0.99, 0.999, 1].map((q) => quantileMs(hundred, q)),
    [1, 50, 99, 100, 100],
  );
  assert.equal(quantileMs(emptyHistogram, 0.5), undefined);
  assert.equal(countOf(hundred), 100);
});
