/** A new release comes in node by node while clients go on and faults happen: old and new code serve side by side. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { defineSystem, implement } from "../../src/index.ts";
import { defineScenario, loadScenario, simulate } from "../../src/simulation/index.ts";
import { Wallet } from "./upgrade/interfaces.ts";
import scenario from "./upgrade/upgrade.scenario.ts";

const file = new URL("./upgrade/upgrade.scenario.ts", import.meta.url);

test("old and new code serve the same wallets, and every promise holds", async () => {
  let upgrades = 0;
  let mixed = 0;
  for (let seed = 1; seed <= 12; seed++) {
    let [old, fresh] = [0, 0];
    const counted = {
      name: "who wrote what is counted",
      holds: (state: Parameters<(typeof scenario.invariants)[number]["holds"]>[0]) => {
        const puts = [...state.all<{ puts: number | null }>(Wallet).values()].map((wallet) => wallet.puts);
        old = Math.max(old, puts.filter((count) => count === null).length);
        fresh = Math.max(fresh, puts.filter((count) => count !== null).length);
        return true;
      },
    };
    const result = await simulate({ scenario: { ...scenario, invariants: [...scenario.invariants, counted] }, seed });
    assert.deepEqual(result.violations, [], `seed ${seed}`);
    assert.equal(result.faults.upgrade, result.nodes.length, "every node was upgraded");
    upgrades += result.faults.upgrade;
    if (old > 0 && fresh > 0) mixed++;
  }
  assert.ok(upgrades >= 36 && mixed > 6, `${upgrades} upgrades, ${mixed} runs with states of both releases`);
});

test("from its file, each process of each release has modules of its own, and the run is the same each time", async () => {
  const loaded = await loadScenario(file);
  const [one, other] = [await simulate({ scenario: loaded, seed: 3 }), await simulate({ scenario: loaded, seed: 3 })];
  assert.deepEqual(one.violations, []);
  assert.equal(one.digest, other.digest);
  assert.ok(one.faults.upgrade! >= 3);
});

test("an upgrade whose new entities begin otherwise than migrated ones is refused in a sentence", async () => {
  const [before] = scenario.system.services;
  const richer = implement(Wallet, {
    state: { version: 2, initial: () => ({ cents: 5 }), migrate: { 1: (old) => old as { cents: number } } },
    operations: { put: (ctx, cents) => ctx.state.cents + cents, holds: (ctx) => ctx.state.cents },
  });
  const upgrade = defineSystem({ name: "wallets", services: [richer] });
  const wrong = defineScenario({ system: defineSystem({ name: "wallets", services: [before!] }), upgrade });
  await assert.rejects(simulate({ scenario: wrong, seed: 1 }), /initial\(\) of service wallet gives \{"cents":5\}/);
});
