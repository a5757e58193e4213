/** A run can be written out, as its faults and its operations, and run again with all of them or with fewer. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Account } from "../../examples/bank/account.interface.ts";
import bank from "../../examples/bank/system.ts";
import {
  type CommittedState,
  defineScenario,
  type Fault,
  simulate,
  type Workload,
} from "../../src/simulation/index.ts";

const scenario = defineScenario({ system: bank, nodes: 3, clients: 5, duration: "2s" });

/** A number of one's own kind, which only JSON knows as a number. */
class Amount {
  readonly #amount: number;

  constructor(amount: number) {
    this.#amount = amount;
  }

  toJSON(): number {
    return this.#amount;
  }
}

const deposit = { service: "account", key: "a", operation: "deposit" };
const reused = { ...deposit, input: { amount: 0 } };
const workloads: Readonly<Record<string, Workload>> = {
  "one object that it changes": (prng) => {
    reused.input.amount = 1 + prng.below(100);
    return reused;
  },
  "an input with toJSON": (prng) => ({ ...deposit, input: { amount: new Amount(1 + prng.below(100)) } }),
  "an input with a function": (prng) => ({ ...deposit, input: { amount: 1 + prng.below(100), note: () => "spare" } }),
};

for (const [name, workload] of Object.entries(workloads)) {
  test(`the list of a run has what was asked, where the workload returns ${name}`, async () => {
    const drawn = await simulate({ scenario: { ...scenario, workload }, seed: 3, keepTrace: true });
    assert.ok(drawn.operations.ok > 40);
    // As it comes from a worker.
    const { plan, asked: operations } = structuredClone({ plan: drawn.plan, asked: drawn.asked });
    assert.equal((await simulate({ scenario, seed: 3, plan, operations })).digest, drawn.digest);
  });
}

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

test("what is listed for later than anybody waits is not asked, and breaks nothing", async () => {
  const { asked } = await simulate({ scenario, seed: 3, plan: [], keepTrace: true });
  const calm = asked.filter((operation) => operation.calm === true);
  assert.ok(calm.length > 5);
  // Long after the end of the run, and while the nodes leave.
  for (const at of [300_000, 131_000]) {
    const operations = calm.map((operation) => ({ ...operation, at }));
    const late = await simulate({ scenario, seed: 3, plan: [], operations, durationMs: 500, keepTrace: true });
    assert.deepEqual(late.violations, []);
    assert.deepEqual(late.asked, []);
  }
});

test("a case keeps the clients that it was found with, and is refused where its nodes are missing", async () => {
  const invariants = [{ name: "nobody is rich", holds: (state: CommittedState) => state.all(Account).size === 0 }];
  const found = await simulate({ scenario: { ...scenario, invariants }, seed: 3, plan: [], keepTrace: true });
  const operations = found.asked.filter(({ client }) => client === 4);
  const run = { seed: 3, plan: [], operations };
  const [before, after] = [
    await simulate({ ...run, scenario: { ...scenario, invariants } }),
    await simulate({ ...run, scenario: { ...scenario, invariants, clients: 1 } }),
  ];
  assert.equal(before.violations[0]?.invariant, "nobody is rich");
  assert.equal(after.digest, before.digest);
  const plan: Fault[] = [{ kind: "crash", at: 100, lastsMs: 50, nodes: ["node-5"], amount: 1 }];
  await assert.rejects(simulate({ ...run, scenario, plan }), /about node-5, and the scenario has 3 nodes/);
});

test("a run that is to be longer than its scenario says has faults all along", async () => {
  const durationMs = 300_000;
  const { plan } = await simulate({ scenario, seed: 3, durationMs, endsAtMs: 1_000 });
  assert.ok(plan.some(({ at }) => at > durationMs / 2));
});
