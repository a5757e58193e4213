/** The second release of the wallets comes in while clients go on. */
import { defineScenario, type Scenario } from "../../../src/simulation/index.ts";
import { Wallet } from "./interfaces.ts";
import after from "./new-system.ts";
import before from "./old-system.ts";

const scenario: Scenario = defineScenario({
  system: before,
  upgrade: after,
  clients: 8,
  duration: "10s",
  invariants: [
    {
      name: "no wallet counts more puts than cents",
      // States are in the shape of the second release, whoever wrote them.
      holds: (state) =>
        [...state.all<{ amount: { cents: number }; puts: number | null }>(Wallet).values()].every(
          ({ amount, puts }) => amount.cents >= (puts ?? 0),
        ),
    },
  ],
});
export default scenario;
