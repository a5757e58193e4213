/** Commands that change nothing but what is left for later: what is broken for them is found, too. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Scenario, simulate } from "../../src/simulation/index.ts";
import { mutations } from "../../src/simulation/mutations.ts";
import onlyPasses from "./only-passes.scenario.ts";

/** Whether a run of one of these seeds is broken, and the first that is said of it is this. */
async function isFound(name: string, scenario: Scenario, words: RegExp, seedsMax: number): Promise<boolean> {
  const mutation = mutations.find((one) => one.name === name)!;
  for (let seed = 1; seed <= seedsMax; seed++) {
    const { violations } = await simulate({ scenario, seed, mutation });
    if (violations.length > 0 && words.test(`${violations[0]!.promise}: ${violations[0]!.text}`)) return true;
  }
  return false;
}

/** Nothing but this one of its operations. */
function only(operation: string): Scenario {
  const workload: Scenario["workload"] = (prng, client) => {
    for (;;) {
      const request = onlyPasses.workload(prng, client);
      if (request.operation === operation) return request;
    }
  };
  return { ...onlyPasses, workload };
}

for (const operation of ["pass", "remind", "confirm"]) {
  test(`${operation}, of which the state says nothing: an answer before it is durable is found, and that it is done twice`, async () => {
    const scenario = only(operation);
    const early = new RegExp(`^durable: ${operation} .* before that was in the store`);
    assert.ok(await isFound("reply-before-durable", scenario, early, 2));
    const twice = new RegExp(`^effectively once: ${operation} .* took effect twice`);
    assert.ok(await isFound("no-deduplication-record", scenario, twice, 30));
  });
}

test("messages and timers of commands that leave their state as it is keep every promise under faults", async () => {
  let answered = 0;
  for (let seed = 1; seed <= 8; seed++) {
    const { violations, operations } = await simulate({ scenario: onlyPasses, seed });
    assert.deepEqual(violations, [], `seed ${seed}`);
    answered += operations.ok;
  }
  assert.ok(answered > 400, `${answered} were answered`);
});
