import assert from "node:assert/strict";
import { test } from "node:test";
import { afterDeath, startFailuresMax } from "./restarts.ts";

test("a node that served and died is started again at once, however often", () => {
  for (const failures of [0, 1, 5]) {
    assert.deepEqual(afterDeath(failures, true), { kind: "start", delayMs: 0, failures: 0 });
  }
});

test("a node that dies before it serves is started at once, then after doubling waits, then given up", () => {
  const delays: number[] = [];
  let failures = 0;
  for (;;) {
    const next = afterDeath(failures, false);
    failures = next.failures;
    if (next.kind === "give-up") break;
    delays.push(next.delayMs);
  }
  assert.deepEqual(delays, [0, 100, 200, 400, 800]);
  assert.equal(failures, startFailuresMax);
});
