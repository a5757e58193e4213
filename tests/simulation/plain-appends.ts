/** Appends without idempotency keys: only the ids that nodes give to calls between them keep these from doubling. */
import { defineScenario, type Scenario } from "../../src/simulation/index.ts";
import { workshop } from "./workshop-system.ts";

const keys = ["a", "b", "c", "d", "e"];

export function plainAppends(durationMs: number): Scenario {
  return defineScenario({
    system: workshop,
    nodes: 3,
    clients: 20,
    duration: durationMs,
    workload: (prng) => ({
      service: "list",
      key: keys[prng.below(keys.length)]!,
      operation: "append",
      input: prng.below(1_000),
      repeatable: false,
    }),
  });
}
