/** What people write for a percentile, and what it must not be taken for. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseObjective } from "./objective.ts";

test("an objective is a percentile, with decimals behind its two digits, and a time", () => {
  assert.deepEqual(parseObjective("p99=50ms"), { name: "p99", quantile: 0.99, limitMs: 50 });
  const quantiles = ["p50", "p95", "p999", "p9999", "p975"].map((name) => parseObjective(`${name}=1s`).quantile);
  assert.deepEqual(quantiles, [0.5, 0.95, 0.999, 0.9999, 0.975]);
});

test("p100 is the slowest of all answers, not the tenth part of them", () => {
  assert.deepEqual(parseObjective("p100=50ms"), { name: "p100", quantile: 1, limitMs: 50 });
});

test("what could be taken for another percentile is refused with how to write it", () => {
  for (const name of ["p05", "p00", "p0", "p9", "p101", "p1000", "p250", "p99999", "p99.9"]) {
    assert.throws(
      () => parseObjective(`${name}=50ms`),
      { code: "invalid_argument", message: /such as p99=50ms/ },
      name,
    );
  }
  assert.throws(() => parseObjective("p99=0ms"), { code: "invalid_argument" });
});
