/** Messages and little else: only the numbers of their senders' shards keep these from doubling. */
import { defineScenario, type Scenario } from "../../src/simulation/index.ts";
import { errands } from "./errands-system.ts";

const keys = ["a", "b", "c", "d", "e"];

export function plainSends(durationMs: number): Scenario {
  return defineScenario({
    system: errands,
    nodes: 3,
    clients: 20,
    duration: durationMs,
    workload: (prng) => ({
      service: "post",
      key: keys[prng.below(keys.length)]!,
      operation: "send",
      input: { to: keys[prng.below(keys.length)]!, count: 1 + prng.below(3) },
      repeatable: false,
    }),
  });
}
