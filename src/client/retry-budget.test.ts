import assert from "node:assert/strict";
import { test } from "node:test";
import { platform } from "./platform.ts";
import { RetryBudget, tokensMax } from "./retry-budget.ts";

test("a repeat whose deadline has passed is refused at once, and no timer is set for it", async () => {
  const delays: number[] = [];
  const after = (delayMs: number) => {
    delays.push(delayMs);
    return () => {};
  };
  const budget = new RetryBudget({ ...platform, monotonic: () => 1_000, after });
  for (let taken = 0; taken < tokensMax; taken++) assert.ok(await budget.take(2_000));
  assert.equal(await budget.take(999), false);
  assert.deepEqual(delays, []);
});
