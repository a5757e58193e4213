import assert from "node:assert/strict";
import { test } from "node:test";
import { platform } from "./platform.ts";
import { RetryBudget, tokensMax, tokensPerAnswer } from "./retry-budget.ts";

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

test("of the repeats that wait the last one goes first, because it has the most time left", async () => {
  const budget = new RetryBudget({ ...platform, monotonic: () => 1_000, after: () => () => {} });
  for (let taken = 0; taken < tokensMax; taken++) assert.ok(await budget.take(2_000));
  const granted: string[] = [];
  for (const name of ["first", "second", "third"]) void budget.take(2_000).then(() => granted.push(name));
  for (let answers = 0; answers < 2 / tokensPerAnswer; answers++) budget.answered();
  await new Promise(setImmediate);
  assert.deepEqual(granted, ["third", "second"]);
});

test("a repeat that waits is refused when its deadline comes, and the others wait on", async () => {
  const timers: (() => void)[] = [];
  const after = (_delayMs: number, callback: () => void) => {
    timers.push(callback);
    return () => {};
  };
  const budget = new RetryBudget({ ...platform, monotonic: () => 1_000, after });
  for (let taken = 0; taken < tokensMax; taken++) await budget.take(2_000);
  const first = budget.take(1_500);
  const second = budget.take(2_000);
  timers[0]!();
  assert.equal(await first, false);
  for (let answers = 0; answers < 1 / tokensPerAnswer; answers++) budget.answered();
  assert.equal(await second, true);
});
