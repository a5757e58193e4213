/** The notices as `npm run sim:night` runs them: what their schemas say, but that only messages make the herald work. */
import { defineScenario, type Scenario, type Workload } from "../../src/simulation/index.ts";
import { generatedWorkload } from "../../src/simulation/workload.ts";
import { notices } from "./notices-system.ts";

const { workload: anything } = generatedWorkload(notices);

const workload: Workload = (prng, client) => {
  const request = anything(prng, client);
  // It fails with those that it calls, and a client may not repeat it.
  return request.operation === "cry" ? { service: "herald", operation: "heard", input: "a" } : request;
};

const scenario: Scenario = defineScenario({ system: notices, workload });
export default scenario;
