/** A run can be written out, as its faults and its operations, and run again with all of them or with fewer. */
import assert from "node:assert/strict";
import { test } from "node:test";
import bank from "../../examples/bank/system.ts";
import { defineScenario, simulate } from "../../src/simulation/index.ts";

const scenario = defineScenario({ system: bank, nodes: 3, clients: 5, duration: "2s" });

test("a run by its own list of faults and operations is that run, byte for byte", async () => {
  for (const seed of [3, 5]) {
    const drawn = await simulate({ scenario, seed, keepTrace: true });
    assert.ok(drawn.asked.length > 40);
    assert.ok(drawn.asked.some(({ calm }) => calm === true));
    const { plan, asked: operations } = JSON.parse(JSON.stringify(drawn)) as typeof drawn;
    const listed = await simulate({ scenario, seed, plan, operations });
    assert.equal(listed.digest, drawn.digest);
  }
});

test("an operation less leaves what the others ask for, and of which node, as it was", async () => {
  const plan = (await simulate({ scenario, seed: 3, keepTrace: true })).plan;
  const all = await simulate({ scenario, seed: 3, plan, keepTrace: true });
  const fewer = all.asked.filter(({ client, turn }) => !(client === 0 && turn === 2));
  const one = await simulate({ scenario, seed: 3, plan, operations: fewer, keepTrace: true });
  const calls = ({ trace }: typeof all) =>
    trace
      .filter(({ where, what }) => where === "client-2" && what === "calls")
      .map(({ text }) => text.replace(/#\d+ /, ""));
  assert.equal(one.asked.length, all.asked.length - 1);
  assert.deepEqual(calls(one), calls(all));
});

test("another timing keeps the seed's faults and weather, and is another run", async () => {
  const runs = [
    await simulate({ scenario, seed: 3 }),
    await simulate({ scenario, seed: 3, timing: 1 }),
    await simulate({ scenario, seed: 3, timing: 1 }),
  ];
  assert.deepEqual(runs[1]!.plan, runs[0]!.plan);
  assert.notEqual(runs[1]!.digest, runs[0]!.digest);
  assert.equal(runs[1]!.digest, runs[2]!.digest);
});

test("a run that is to end at an instant ends there, with nothing said of what was still open", async () => {
  const { simulatedMs, violations } = await simulate({ scenario, seed: 3, endsAtMs: 2_000 });
  assert.deepEqual(violations, []);
  assert.ok(simulatedMs >= 2_000 && simulatedMs < 2_100, `${simulatedMs} ms`);
});

test("a run that is to be longer than its scenario says has faults all along", async () => {
  const durationMs = 300_000;
  const { plan } = await simulate({ scenario, seed: 3, durationMs, endsAtMs: 1_000 });
  assert.ok(plan.some(({ at }) => at > durationMs / 2));
});
