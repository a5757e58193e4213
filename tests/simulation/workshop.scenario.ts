/** The workshop as `npm run sim:night` runs it. */
import { defineScenario, type Scenario } from "../../src/simulation/index.ts";
import { workshop } from "./workshop-system.ts";

const scenario: Scenario = defineScenario({ system: workshop });
export default scenario;
