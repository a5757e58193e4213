/** Prints the hash of the trace of each seed that it is asked for: run twice, in two processes, it must say the same. */
import { defineScenario, loadScenario, simulate } from "../../src/simulation/index.ts";
import { workshop } from "./workshop-system.ts";

const reading = await loadScenario(new URL("surroundings/system.ts", import.meta.url));
const scenarios = {
  shared: defineScenario({ system: workshop, duration: "8s" }),
  // Each process with modules of its own, and handlers that read time and chance from everywhere.
  own: { ...reading, durationMs: 4_000 },
};
for (const seed of process.argv.slice(2).map(Number)) {
  for (const [name, scenario] of Object.entries(scenarios)) {
    const { digest, events, violations } = await simulate({ scenario, seed });
    console.log(name, seed, digest, events, violations.length);
  }
}
