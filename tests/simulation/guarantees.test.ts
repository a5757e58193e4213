/**
 * The guarantees under faults: systems of every kind of handler, seed after seed (G1-G4, G6, G7). A few hundred runs in
 * every build; `npm run sim:night` does a hundred thousand.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import bank from "../../examples/bank/system.ts";
import { Transfer } from "../../examples/bank/transfer.interface.ts";
import transfers from "../../examples/bank/transfer.scenario.ts";
import type { TransferState } from "../../examples/bank/transfer.ts";
import { type CommittedState, defineScenario, type Scenario, simulate } from "../../src/simulation/index.ts";
import errands from "./errands.scenario.ts";
import notices from "./notices.scenario.ts";
import { workshop } from "./workshop-system.ts";

const seeds = 100;
const durationMs = 5_000;

async function nothingFound(scenario: Scenario, first: number): Promise<void> {
  const operations = { ok: 0, info: 0 };
  const kinds = new Set<string>();
  let faults = 0;
  for (let seed = first; seed < first + seeds; seed++) {
    const result = await simulate({ scenario, seed });
    assert.deepEqual(result.violations, [], `seed ${seed}`);
    operations.ok += result.operations.ok;
    operations.info += result.operations.info;
    for (const [kind, count] of Object.entries(result.faults)) {
      kinds.add(kind);
      faults += count;
    }
  }
  // A run in which nothing went wrong, or nothing was asked, shows nothing.
  assert.ok(faults > seeds, `${faults} faults`);
  assert.ok(kinds.size > 15, `faults of these kinds: ${[...kinds].join(", ")}`);
  assert.ok(operations.ok > 50 * seeds, `${operations.ok} operations were answered`);
  assert.ok(operations.info > 0, "of some nobody knew what became of them");
}

test("the bank keeps every promise under faults", async () => {
  await nothingFound(defineScenario({ system: bank, duration: durationMs }), 1);
});

test("handlers that wait, call others, write blindly and clear their state keep every promise under faults", async () => {
  await nothingFound(defineScenario({ system: workshop, duration: durationMs }), 1_001);
});

test("transfers under faults lose no money, make none, and are each applied once", async () => {
  const seen = new Set<string>();
  const look = {
    name: "how transfers end is looked at",
    holds: (state: CommittedState) => {
      for (const { status } of state.all<TransferState>(Transfer).values()) seen.add(status);
      return true;
    },
  };
  const scenario = { ...transfers, invariants: [...transfers.invariants, look], durationMs };
  for (let seed = 1; seed <= 12; seed++) {
    const { violations } = await simulate({ scenario, seed });
    assert.deepEqual(violations, [], `seed ${seed}`);
  }
  assert.deepEqual([...seen].sort(), ["done", "refunded", "refused"], "each way to end was taken");
});

test("sagas, messages and timers under faults happen once, in their order, or not at all, and all of them in the end", async () => {
  const waited = new Set<string>();
  const look = {
    name: "what waits is looked at",
    holds: (state: CommittedState) => {
      for (const { interface: one } of errands.system.services) if (state.pending(one) > 0) waited.add(one.name);
      return true;
    },
  };
  let answered = 0;
  for (let seed = 1; seed <= 20; seed++) {
    const { violations, operations } = await simulate({
      scenario: { ...errands, invariants: [look], durationMs },
      seed,
    });
    assert.deepEqual(violations, [], `seed ${seed}`);
    answered += operations.ok;
  }
  assert.deepEqual([...waited].sort(), ["box", "errand", "post"], "each has had work that waited");
  assert.ok(answered > 2_000, `${answered} operations were answered`);
});

test("what services without keys do for messages happens once for each call, and all of it in the end, under faults", async () => {
  let answered = 0;
  for (let seed = 1; seed <= 12; seed++) {
    const { violations, operations } = await simulate({ scenario: { ...notices, durationMs }, seed });
    assert.deepEqual(violations, [], `seed ${seed}`);
    answered += operations.ok;
  }
  assert.ok(answered > 2_000, `${answered} operations were answered`);
});
