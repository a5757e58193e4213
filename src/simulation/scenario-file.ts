/**
 * Loads the file that says what is to be simulated, a scenario or just a system: once to see what it is, and again for
 * every process of every run, each with modules of its own.
 */
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { SynodError } from "../errors.ts";
import type { AnySystem } from "../service/model.ts";
import { isSystem } from "../service/system.ts";
import { checkInitialStates } from "./initial-states.ts";
import type { Judge } from "./judge.ts";
import type { ProcessCode } from "./machine.ts";
import { defineScenario, isScenario, type Scenario } from "./scenario.ts";
import { replaceSurroundings } from "./user-code/install.ts";
import { loadInstance } from "./user-code/instances.ts";
import { type Place, runOutside } from "./user-code/place.ts";
import { firstPlace, nodePlace } from "./user-code/places.ts";
import type { Process } from "./world/process.ts";

/** The file is not one that can be simulated. */
export class ScenarioFileError extends SynodError {
  constructor(sentence: string) {
    super("failed_precondition", sentence);
  }
}

/**
 * The scenario that a file declares; a file that declares a system is the scenario of that system with generated
 * clients. In its runs each node loads the file, and what it imports, for itself: what a module keeps in its variables
 * is known to one node, and gone when that crashes.
 *
 * Throws `failed_precondition` when the file declares neither, and whatever its modules throw: they must not do I/O
 * while they are loaded, except read files. What they print meanwhile goes to standard error.
 *
 * @example
 * ```ts
 * import { loadScenario, simulate } from "synod/simulation";
 *
 * async function broken(file: URL, seed: number): Promise<readonly string[]> {
 *   const { violations } = await simulate({ scenario: await loadScenario(file), seed });
 *   return violations.map(({ text }) => text);
 * }
 * console.assert(typeof broken === "function");
 * ```
 */
export function loadScenario(file: string | URL): Promise<Scenario> {
  // From outside: at a place the stream writes to the place, which would write to the stream again.
  return loadPrinting(file, (text) => runOutside(() => void process.stderr.write(text)));
}

/** The same for whoever has another use for what modules print while they are loaded. */
export async function loadPrinting(file: string | URL, print: (text: string) => void): Promise<Scenario> {
  const path = typeof file === "string" ? resolve(file) : fileURLToPath(file);
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile()) {
    const sentence = `There is no file ${path}: give the path of the file that declares the system or the scenario.`;
    throw new ScenarioFileError(sentence);
  }
  const giveBack = replaceSurroundings();
  try {
    const scenario = await scenarioAt(path, firstPlace(print));
    return { ...scenario, file: path };
  } finally {
    giveBack();
  }
}

/** The same file for somebody who has modules of his own. */
async function scenarioAt(path: string, place: Place): Promise<Scenario> {
  const { default: declared } = await loadInstance(path, place);
  if (isScenario(declared)) return declared;
  if (isSystem(declared)) return defineScenario({ system: declared });
  throw new ScenarioFileError(
    `${path} declares neither a system nor a scenario: end it with \`export default defineSystem({ … })\` or \`export default defineScenario({ … })\`.`,
  );
}

/** What one run of a scenario executes. */
export interface RunCode {
  /** Whose workload and invariants are asked: an instance of this run. */
  readonly scenario: Scenario;
  /** For each process; all share the modules of whoever made the scenario when absent. */
  readonly code: ((process: Process, judge: Judge, upgraded: boolean) => ProcessCode) | undefined;
}

export async function runCode(scenario: Scenario): Promise<RunCode> {
  const { file } = scenario;
  checkInitialStates(scenario.system, scenario.upgrade);
  if (file === undefined) return { scenario, code: undefined };
  const own = await scenarioAt(
    file,
    firstPlace(() => {}),
  );
  const systemAt = async (place: Place, upgraded: boolean): Promise<AnySystem> => {
    const { system, upgrade = system } = await scenarioAt(file, place);
    return upgraded ? upgrade : system;
  };
  return {
    scenario: {
      ...scenario,
      system: own.system,
      upgrade: own.upgrade,
      workload: own.workload,
      invariants: own.invariants,
    },
    code: (process, judge, upgraded) => {
      const place = nodePlace(process, judge);
      return { place, system: systemAt(place, upgraded) };
    },
  };
}
