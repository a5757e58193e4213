/** The errands as `npm run sim:night` runs them: mostly what their schemas say, and sagas under keys of their own. */
import { defineScenario, type Scenario, type Workload } from "../../src/simulation/index.ts";
import { generatedWorkload } from "../../src/simulation/workload.ts";
import { errands } from "./errands-system.ts";

const errandsLength = 500;
const { workload: anything } = generatedWorkload(errands);

const errandsWorkload: Workload = (prng, client) => {
  const request = anything(prng, client);
  // What only a timer should do.
  if (request.operation === "expire") return { ...request, operation: "confirm", input: undefined };
  // What only errands should have called: it fails with those that it calls, and a client may not repeat it.
  if (request.service === "crowd") return { service: "scale", operation: "glance" };
  if (request.service !== "errand") return request;
  const key = `e${prng.below(errandsLength)}`;
  return { ...request, key, input: request.operation === "status" ? undefined : inputOf(request.operation, prng) };
};

function inputOf(operation: string, prng: Parameters<Workload>[0]): unknown {
  if (operation === "both") return { other: "x" };
  const names = ["a", "b", "c", "d", "e"];
  return { from: names[prng.below(5)], to: names[prng.below(5)], spoilt: prng.below(5) === 0 };
}

const scenario: Scenario = defineScenario({ system: errands, workload: errandsWorkload });
export default scenario;
