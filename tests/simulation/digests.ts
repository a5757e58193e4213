/** Prints the hash of the trace of each seed that it is asked for: run twice, in two processes, it must say the same. */
import { defineScenario, simulate } from "../../src/simulation/index.ts";
import { workshop } from "./workshop-system.ts";

const scenario = defineScenario({ system: workshop, durationMs: 8_000 });
for (const seed of process.argv.slice(2).map(Number)) {
  const { digest, events, violations } = await simulate({ scenario, seed });
  console.log(seed, digest, events, violations.length);
}
