/** Campaigns whose runs do not all come to a result. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runCampaign } from "../../src/simulation/campaign.ts";
import { CaseRunner } from "../../src/simulation/case-runner.ts";

const endless = fileURLToPath(new URL("lost/endless-system.ts", import.meta.url));
/** Of two workers that are started one after the other, one dies in each of its runs. */
const dying = fileURLToPath(new URL("lost/dying.scenario.ts", import.meta.url));

test("what one worker finds is told, though another dies", async () => {
  const report = await runCampaign({ file: dying, firstSeed: 3, seeds: 2, workers: 2 });
  assert.deepEqual([report.failure?.seed, report.lost?.seed].toSorted(), [3, 4]);
  assert.equal(report.failure?.violations[0]?.promise, "invariant");
  assert.match(report.lost?.reason ?? "", /doomed/);
});

test("a worker that died is not asked again: another takes its place", async () => {
  await using runner = new CaseRunner({ file: dying, mutation: undefined }, 2);
  for (let round = 0; round < 2; round++) {
    const ended = await Promise.allSettled([runner.run({ seed: 1 }), runner.run({ seed: 2 })]);
    const reasons = ended.flatMap((one) => (one.status === "rejected" ? [(one.reason as Error).message] : []));
    for (const reason of reasons) assert.match(reason, /doomed/);
    if (round === 0) assert.equal(reasons.length, 1);
  }
});

test("a run that never yields is told of and given up, and the seed is named", { timeout: 120_000 }, async () => {
  const long: number[] = [];
  const underWay = new Set<number>();
  const { runs, failure, lost } = await runCampaign({
    ...{ file: endless, firstSeed: 17, seeds: 2, workers: 2, longMs: 1_000, runMaxMs: 2_000, underWay },
    onLong: (seed) => {
      assert.ok(underWay.has(seed));
      long.push(seed);
    },
  });
  assert.deepEqual(long.toSorted(), [17, 18]);
  assert.equal(runs, 0);
  assert.equal(failure, undefined);
  assert.equal(lost?.seed, 17);
  assert.match(lost.reason, /did not end in 2 s: is there code that never yields/);
  assert.equal(underWay.size, 0);
});
