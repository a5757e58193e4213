/** Sagas and nothing else, each of which has a stateless command call others in another order each time. */
import { defineScenario, type Scenario } from "../../src/simulation/index.ts";
import { errands } from "./errands-system.ts";

const errandsLength = 10_000;
const keys = ["a", "b", "c", "d", "e"];

export function onlyErrands(durationMs: number): Scenario {
  return defineScenario({
    system: errands,
    clients: 20,
    duration: durationMs,
    workload: (prng) => ({
      service: "errand",
      key: `e${prng.below(errandsLength)}`,
      operation: "run",
      input: { from: keys[prng.below(5)], to: keys[prng.below(5)], spoilt: false },
    }),
  });
}
