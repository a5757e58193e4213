/** Faults that find nothing to do test nothing: they are not counted, and those that never could do anything not drawn. */
import assert from "node:assert/strict";
import { test } from "node:test";
import bank from "../../examples/bank/system.ts";
import { planFaults } from "../../src/simulation/faults.ts";
import { defineScenario, type Fault, type FaultKind, simulate } from "../../src/simulation/index.ts";
import { seedPrng } from "../../src/simulation/world/world.ts";

const scenario = defineScenario({ system: bank, nodes: 3, clients: 4, duration: "3s" });
const nodes = ["node-1", "node-2", "node-3"];

function fault(kind: FaultKind, at: number, lastsMs: number, among: readonly string[] = nodes): Fault {
  return { kind, at, lastsMs, nodes: among, amount: 0 };
}

test("a ring of three holds nobody apart, and counts as nothing", async () => {
  const run = await simulate({ scenario, seed: 1, plan: [fault("ring", 500, 1_000)], durationMs: 2_000 });
  assert.equal(run.faults.ring, undefined);
  assert.deepEqual(run.injected, []);
  const plan = [fault("ring", 500, 1_000, [...nodes, "node-4"])];
  const four = await simulate({ scenario: { ...scenario, nodes: 4 }, seed: 1, plan, durationMs: 2_000 });
  assert.equal(four.faults.ring, 1);
});

test("what is to happen to a process that is dead counts as nothing", async () => {
  const kinds = ["crash", "powerLoss", "pause", "suspend", "slow", "drain", "cut", "lateDuplicate"] as const;
  const plan = [fault("powerLoss", 200, 1_500), ...kinds.map((kind, n) => fault(kind, 500 + n, 300))];
  const run = await simulate({ scenario, seed: 1, plan, durationMs: 2_000 });
  assert.deepEqual(run.faults, { powerLoss: 1 });
  assert.deepEqual(run.violations, []);
});

test("rings are drawn for four machines and not for three, and what is late is so after its sender has lost it", () => {
  const drawn = (names: readonly string[]): readonly Fault[] =>
    Array.from({ length: 100 }, (_, seed) => planFaults(seedPrng(seed, "faults"), names, 60_000)).flat();
  const [three, four] = [drawn(nodes), drawn([...nodes, "node-4"])];
  assert.ok(three.every(({ kind }) => kind !== "ring"));
  assert.ok(four.some(({ kind }) => kind === "ring"));
  const late = three.filter(({ kind }) => kind === "lateDuplicate");
  assert.ok(late.length > 20);
  assert.deepEqual(
    late.filter(({ amount, lastsMs }) => amount >= lastsMs && lastsMs > 0),
    [],
  );
});
