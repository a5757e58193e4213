/** What both sides start, ask for and hold against it. */
import { fileURLToPath } from "node:url";
import type { RunningSystem } from "../../src/capacity/capacity.ts";
import { type Objective, parseObjective } from "../../src/capacity/objective.ts";
import { type Division, leaveToLoad } from "../../src/capacity/processors.ts";
import { startedFrom } from "../../src/cli/capacity/systems.ts";

/** On two processors, one of which has the load: several would take turns on the other, and the scheduler would be measured. */
export const nodes = 1;
export const keys = 1_000;
export const timeoutMs = 1_000;
/** Where both searches begin, and end at the latest, calls/s. */
export const firstPerSecond = 100;
export const perSecondMax = 20_000;
/** Far up where the curve is steep: there it is the load that decides, and not a single wait of the machine. */
export const objective: Objective = parseObjective("p99=250ms");

/** Of one process, as both sides' loads are: a machine of two processors has one for it. */
export const loadProcesses = 1;
export const division: Division | undefined = leaveToLoad(loadProcesses);

export function startBank(): Promise<RunningSystem> {
  const file = fileURLToPath(new URL("../../examples/bank/system.ts", import.meta.url));
  return startedFrom(file, undefined, { nodes, shedding: true }, { sharesProcessors: division === undefined });
}
