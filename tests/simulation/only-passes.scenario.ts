/** Commands that leave their entity's state as it is: all that is left of them is a message, or a timer that is set or cleared. */
import { defineScenario, type Scenario } from "../../src/simulation/index.ts";
import type { Request } from "../../src/simulation/operation.ts";
import { errands } from "./errands-system.ts";

const keys = ["a", "b", "c", "d", "e"];

const scenario: Scenario = defineScenario({
  system: errands,
  clients: 10,
  duration: "10s",
  workload: (prng, client): Request => {
    const to = keys[prng.below(keys.length)]!;
    const request = {
      service: "post",
      key: keys[prng.below(keys.length)]!,
      // What the receiver does not answer: that would change the sender's state.
      ...[
        { operation: "pass", input: { to, number: 1 + 3 * prng.below(5) } },
        { operation: "remind", input: 1_499 },
        { operation: "confirm" },
      ][prng.below(3)]!,
    };
    return { ...request, repeatable: client % 4 !== 0 };
  },
});
export default scenario;
