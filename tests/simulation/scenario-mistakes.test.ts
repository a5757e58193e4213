/** Mistakes in a scenario: each is told as what it is, and none is taken for a clean run or for a defect of Synod. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { command, defineInterface, defineSystem, implement } from "../../src/index.ts";
import {
  type CommittedState,
  defineScenario,
  type RunResult,
  type ScenarioDefinition,
  simulate,
} from "../../src/simulation/index.ts";

const Seats = defineInterface("seats", { key: z.string(), operations: { book: command({ output: z.int() }) } });
const seats = implement(Seats, {
  state: { version: 1, initial: () => ({ free: 1_000 }) },
  operations: { book: (ctx) => --ctx.state.free },
});
const system = defineSystem({ name: "flights", services: [seats] });

const wrong: Readonly<Record<string, readonly [object, RegExp]>> = {
  "a member with a slip of the pen": [{ invariant: [] }, /a member "invariant".*invariants/],
  "a duration by the name that it once had": [{ durationMs: 1_000 }, /a member "durationMs".*duration/],
  "no system": [{ system: { services: [] } }, /system of a scenario/],
  "an upgrade that is none": [{ upgrade: seats }, /upgrade of a scenario/],
  "replacements that are no list": [{ replace: seats }, /replace of a scenario/],
  "no clients": [{ clients: 0 }, /clients of a scenario is 0/],
  "clients by an empty variable": [{ clients: Number.NaN }, /clients of a scenario is NaN/],
  "no nodes": [{ nodes: 0 }, /nodes of a scenario is 0/],
  "half a node": [{ nodes: 1.5 }, /nodes of a scenario is 1.5/],
  "a workload that is a list": [{ workload: [] }, /workload of a scenario/],
  "one invariant": [{ invariants: { name: "a", holds: () => true } }, /invariants of a scenario/],
  "an invariant without a name": [{ invariants: [{ holds: () => true }] }, /invariants\[0\].*no name/],
  "an invariant without a function": [{ invariants: [{ name: "a", holds: true }] }, /invariants\[0\].*function holds/],
  "an invariant that says hold": [{ invariants: [{ name: "a", hold: () => true }] }, /invariants\[0\].*"hold"/],
};
for (const [name, [members, message]] of Object.entries(wrong)) {
  test(`a scenario is refused: ${name}`, () => {
    const definition = { system, ...members } as ScenarioDefinition;
    assert.throws(() => defineScenario(definition), { name: "SynodError", code: "invalid_argument", message });
  });
}

function simulated(members: Partial<Record<keyof ScenarioDefinition, unknown>>): Promise<RunResult> {
  const definition = { system, nodes: 1, clients: 3, duration: "2s", ...members } as ScenarioDefinition;
  return simulate({ scenario: defineScenario(definition), seed: 1 });
}

const free = (state: CommittedState) => (state.all(Seats).get("no such flight") as { free: number }).free;

const mistakes: Readonly<Record<string, readonly [Partial<Record<keyof ScenarioDefinition, unknown>>, RegExp]>> = {
  "an invariant that throws": [
    { invariants: [{ name: "free seats", holds: (state: CommittedState) => free(state) >= 0 }] },
    /^invariant "free seats" threw TypeError: .*'free'.*\n +at .*scenario-mistakes\.test\.ts:\d+$/,
  ],
  "an invariant that is a promise": [
    { invariants: [{ name: "free seats", holds: async () => true }] },
    /^holds of invariant "free seats" returned a promise: it must say/,
  ],
  "an invariant that is a rejected promise": [
    { invariants: [{ name: "free seats", holds: async () => Promise.reject(new Error("late")) }] },
    /^holds of invariant "free seats" returned a promise: it must say/,
  ],
  "an invariant that says nothing": [
    { invariants: [{ name: "free seats", holds: () => {} }] },
    /^holds of invariant "free seats" returned nothing: it must say/,
  ],
  "a workload with a misspelt operation": [
    { workload: () => ({ service: "seats", key: "a", operation: "bok" }) },
    /^the workload asks for seats\.bok, which the system has not: seats has book$/,
  ],
  "a workload with a misspelt service": [
    { workload: () => ({ service: "seat", key: "a", operation: "book" }) },
    /^the workload asks for seat\.book, which the system has not: it has seats$/,
  ],
  "a workload that is a promise": [
    { workload: async () => ({ service: "seats", key: "a", operation: "book" }) },
    /^the workload returned a promise: it must return/,
  ],
  "a workload that throws": [
    { workload: () => Reflect.get(Object(undefined), "keys").length },
    /^the workload threw TypeError: .*\n +at .*scenario-mistakes\.test\.ts:\d+$/,
  ],
};
for (const [name, [members, text]] of Object.entries(mistakes)) {
  test(`a run tells of a mistake in the scenario: ${name}`, async () => {
    const { violations, digest } = await simulated(members);
    assert.deepEqual([...new Set(violations.map(({ promise }) => promise))], ["sound scenario"]);
    assert.match(violations[0]!.text, text);
    assert.equal((await simulated(members)).digest, digest);
  });
}

test("what handlers put on globalThis is reported, and gone before the next run", async () => {
  const kept = globalThis as { flightsKept?: Map<string, number> };
  const keeping = implement(Seats, {
    state: { version: 1, initial: () => ({ free: 1_000 }) },
    operations: {
      book: (ctx) => {
        kept.flightsKept ??= new Map();
        kept.flightsKept.set(ctx.key, (kept.flightsKept.get(ctx.key) ?? 0) + 1);
        ctx.state.free -= 1;
        return kept.flightsKept.get(ctx.key)!;
      },
    },
  });
  const members = { system: defineSystem({ name: "flights", services: [keeping] }) };
  const [first, second] = [await simulated(members), await simulated(members)];
  assert.equal(first.violations.at(-1)?.promise, "no outside world");
  assert.match(first.violations.at(-1)!.text, /^user code keeps state on globalThis: flightsKept\. /);
  assert.equal(second.digest, first.digest);
  assert.ok(!("flightsKept" in globalThis));
});
