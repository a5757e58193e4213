/** Defects that the simulator found, each with the seeds that showed it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type RunOptions, simulate } from "../../src/simulation/index.ts";
import { plainAppends } from "./plain-appends.ts";

type Plan = NonNullable<RunOptions["plan"]>;

test("a call that waits while its node joins again is not sent on without the id that it had", async () => {
  // node-1 hears nobody, so that answers to its calls are lost, and cannot reach the store, so that it loses its lease.
  const plan: Plan = [
    { kind: "oneWay", at: 1_000, lastsMs: 5_000, nodes: ["node-2", "node-1"], amount: 0 },
    { kind: "oneWay", at: 1_000, lastsMs: 5_000, nodes: ["node-3", "node-1"], amount: 0 },
    { kind: "storeCutOff", at: 1_500, lastsMs: 4_000, nodes: ["node-1"], amount: 0 },
  ];
  // Four of these showed it; a change of the workload moves which ones do.
  let lost = 0;
  for (let seed = 1; seed <= 24; seed++) {
    const { violations, operations } = await simulate({ scenario: plainAppends(9_000), seed, plan });
    assert.deepEqual(violations, [], `seed ${seed}`);
    lost += operations.info;
  }
  assert.ok(lost > 24, "answers were lost");
});
