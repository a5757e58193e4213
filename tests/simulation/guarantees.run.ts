/** The guarantees under faults: systems of every kind of handler, seed after seed (G1-G4, G6, G7). */
import assert from "node:assert/strict";
import { test } from "node:test";
import bank from "../../examples/bank/system.ts";
import { defineScenario, type Scenario, simulate } from "../../src/simulation/index.ts";
import { workshop } from "./workshop-system.ts";

/** More with SEEDS=1000; `npm run sim:night` does. */
const seeds = Number(process.env.SEEDS ?? 12);

async function nothingFound(scenario: Scenario, first: number): Promise<void> {
  const operations = { ok: 0, info: 0 };
  let faults = 0;
  for (let seed = first; seed < first + seeds; seed++) {
    const result = await simulate({ scenario, seed });
    assert.deepEqual(result.violations, [], `seed ${seed}`);
    operations.ok += result.operations.ok;
    operations.info += result.operations.info;
    faults += Object.values(result.faults).reduce((sum, count) => sum + count, 0);
  }
  // A run in which nothing went wrong, or nothing was asked, shows nothing.
  assert.ok(faults > seeds, `${faults} faults`);
  assert.ok(operations.ok > 50 * seeds, `${operations.ok} operations`);
}

test("the bank keeps every promise under faults", async () => {
  await nothingFound(defineScenario({ system: bank, durationMs: 10_000 }), 1);
});

test("handlers that wait, call others, write blindly and clear their state keep every promise under faults", async () => {
  await nothingFound(defineScenario({ system: workshop, durationMs: 10_000 }), 1_001);
});
