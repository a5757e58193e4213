/** Other code between two attempts, and outages longer than the window: drawn, survived, and seen to hit something. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { buildOf, completeBuild, isAskedToLeave } from "../../src/simulation/builds.ts";
import { type Fault, type RunResult, simulate } from "../../src/simulation/index.ts";
import { drawLimits, forgetful } from "../../src/simulation/run-limits.ts";
import { planCodeChanges, planOutage } from "../../src/simulation/work-faults.ts";
import { seedPrng } from "../../src/simulation/world/world.ts";
import scenario from "./errands.scenario.ts";
import { onlyErrands } from "./only-errands.ts";

const nodes = ["node-1", "node-2", "node-3"];
const seeds = Array.from({ length: 200 }, (_, index) => index);
const forgetfulSeeds = seeds.filter((seed) => drawLimits(seed).retentionMs === forgetful.retentionMs);
const durationMs = 6_000;
/** Until something is reached. */
const runsMax = 4;

async function firstThat(
  scenarioOf: typeof scenario,
  plan: readonly Fault[],
  reaches: (run: RunResult) => boolean,
): Promise<RunResult | undefined> {
  for (const seed of forgetfulSeeds.slice(0, runsMax)) {
    const run = await simulate({ scenario: { ...scenarioOf, nodes: 3, clients: 8 }, seed, plan, durationMs });
    assert.deepEqual(run.violations, [], `seed ${seed}`);
    if (reaches(run)) return run;
  }
  return undefined;
}

test("durable commands that one build has begun are taken up by others, parked where a step is lost, and finished by one that has all steps", async () => {
  // A slow store, so that they are in the middle of something.
  const slow: Fault = { kind: "storeSlow", at: 0, lastsMs: durationMs, nodes, amount: 100 };
  const changes = [completeBuild, 0].flatMap((amount, turn) =>
    nodes.map((node, n): Fault => {
      return { kind: "newCode", at: 200 + 2_500 * turn + 20 * n, lastsMs: 500, nodes: [node], amount };
    }),
  );
  const run = await firstThat(onlyErrands(durationMs), [slow, ...changes], ({ reached: { otherCode, otherPath } }) => {
    return otherCode > 0 && otherPath > 0;
  });
  assert.ok(run !== undefined, "no run came to it");
  assert.equal(run.faults.newCode, changes.length);
  assert.ok((run.marks["another path"] ?? 0) > 0);
});

test("what was promised before everything was down for longer than the window is done after it", async () => {
  const outage: Fault = { kind: "outage", at: 1_000, lastsMs: 4_500, nodes, amount: 0 };
  // Started again meanwhile, it finds no store.
  const crash: Fault = { kind: "crash", at: 900, lastsMs: 500, nodes: ["node-2"], amount: 1 };
  const run = await firstThat(scenario, [outage, crash], ({ reached }) => reached.outlived > 0);
  assert.ok(run !== undefined, "no run came to it");
  assert.equal(run.faults.outage, 1);
});

test("code changes in some seeds, one node after the other, and always while faults may happen", () => {
  const plans = seeds.map((seed) => planCodeChanges(seedPrng(seed, "code"), nodes, 20_000));
  const changed = plans.filter((plan) => plan.length > 0);
  assert.ok(changed.length > 50 && changed.length < 110, `${changed.length} of ${plans.length} seeds`);
  const faults = changed.flat();
  assert.deepEqual([...new Set(faults.map(({ amount }) => buildOf(amount)))].toSorted(), [0, 1, 2, 3]);
  assert.ok(faults.every(({ at, nodes: [node] }) => at < 20_000 && nodes.includes(node!)));
  const leaving = faults.filter(({ amount }) => isAskedToLeave(amount)).length;
  assert.ok(leaving > 0 && leaving < faults.length, "some are killed, and some are told to leave");
});

test("an outage is longer than the window, and is drawn only where a run has the time for one", () => {
  const drawn = (retentionMs: number): readonly Fault[] =>
    seeds.flatMap((seed) => planOutage(seedPrng(seed, "outage"), nodes, { durationMs: 60_000, retentionMs }));
  const outages = drawn(4_000);
  assert.ok(outages.length > 80 && outages.length < 160, `${outages.length} of ${seeds.length} seeds`);
  assert.ok(outages.every(({ lastsMs, nodes: down }) => lastsMs > 4_000 && down.length === nodes.length));
  assert.deepEqual(drawn(3_600_000), []);
});
