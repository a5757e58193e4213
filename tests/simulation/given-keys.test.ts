/** Workloads that give idempotency keys: several operations are one, and the judge knows. */
import assert from "node:assert/strict";
import { test } from "node:test";
import bank from "../../examples/bank/system.ts";
import { defineScenario, type Fault, type RunResult, simulate, type Workload } from "../../src/simulation/index.ts";
import { mutations } from "../../src/simulation/mutations.ts";
import { drawLimits, forgetful } from "../../src/simulation/run-limits.ts";

/** Of each client, for all of the run: each is asked for again and again, in part with another amount. */
const keysOfClient = 6;
const deposits: Workload = (prng) => {
  const number = prng.below(keysOfClient);
  const request = { service: "account", key: "abc"[number % 3]!, operation: "deposit" };
  return { ...request, input: { amount: 1 + prng.below(2) }, idempotencyKey: `order-${number}` };
};
const scenario = defineScenario({ system: bank, nodes: 3, clients: 6, workload: deposits, duration: "6s" });
const seeds = Array.from({ length: 100 }, (_, index) => index + 1);
const isForgetful = (seed: number): boolean => drawLimits(seed).retentionMs === forgetful.retentionMs;

const nodes = ["node-1", "node-2", "node-3"];
const plan: readonly Fault[] = nodes.map((node, n) => {
  return { kind: "crash", at: 1_000 + 1_500 * n, lastsMs: 400, nodes: [node], amount: 1 };
});

for (const [words, chosen] of [
  ["for long", seeds.filter((seed) => !isForgetful(seed))],
  ["for a moment", seeds.filter(isForgetful)],
] as const) {
  test(`what is asked for under keys that were given takes effect once for each, where they are remembered ${words}`, async () => {
    for (const seed of chosen.slice(0, 4)) {
      const run = await simulate({ scenario, seed, plan, keepTrace: true });
      assert.deepEqual(run.violations, [], `seed ${seed}`);
      const { ok, fail } = run.operations;
      assert.ok(ok > 20 && fail > 20, `${ok} were answered, and ${fail} refused for their amount`);
      const last = balances(run);
      assert.ok(last > 0 && last <= 6 * keysOfClient * 2, `${last} was deposited`);
    }
  });
}

test("that such a key was forgotten is found", async () => {
  const mutation = mutations.find(({ name }) => name === "no-deduplication-record")!;
  for (const seed of seeds.slice(0, 5)) {
    const { violations } = await simulate({ scenario, seed, plan, mutation });
    if (violations.some(({ promise }) => promise === "effectively once")) return;
  }
  assert.fail("nothing was found");
});

/** The highest balance that each account was ever said to have, all together. */
function balances({ trace }: RunResult): number {
  const highest = new Map<string, number>();
  for (const { where, what, text } of trace) {
    if (!where.startsWith("client-") || what !== "gets") continue;
    const [, balance, account] = /ok \{"balance":(\d+)\} for #\d+ account\/(\w)/.exec(text) ?? [];
    if (account !== undefined) highest.set(account, Math.max(highest.get(account) ?? 0, Number(balance)));
  }
  return [...highest.values()].reduce((sum, balance) => sum + balance, 0);
}
