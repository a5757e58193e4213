/**
 * The checks can fail: each defect that is put into the runtime or the store is found within a bounded number of
 * seeds. `npm run test:mutations` prints how many each one took.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { defineScenario } from "../../src/simulation/index.ts";
import { type Mutation, mutations } from "../../src/simulation/mutations.ts";
import { simulate } from "../../src/simulation/simulate.ts";
import { workshop } from "./workshop-system.ts";

const scenario = defineScenario({ system: workshop, durationMs: 20_000 });
const seedsMax = 200;

async function seedThatFinds(mutation: Mutation): Promise<number> {
  for (let seed = 1; seed <= seedsMax; seed++) {
    const { violations } = await simulate({ scenario, seed, mutation });
    if (violations.length > 0) return seed;
  }
  throw new assert.AssertionError({ message: `${mutation.name} was not found within ${seedsMax} seeds` });
}

for (const mutation of mutations) {
  test(`the simulator finds ${mutation.name}`, async (context) => {
    context.diagnostic(`found by seed ${await seedThatFinds(mutation)}`);
  });
}
