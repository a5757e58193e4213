/** Loads the file that says what is to be simulated: a scenario, or just a system. */

import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { SynodError } from "../errors.ts";
import { isSystem } from "../service/system.ts";
import { defineScenario, isScenario, type Scenario } from "./scenario.ts";

/** Rejects with a sentence when the file declares neither. */
export async function loadScenario(file: string | URL): Promise<Scenario> {
  const path = typeof file === "string" ? resolve(file) : fileURLToPath(file);
  const { default: declared } = (await import(pathToFileURL(path).href)) as { default?: unknown };
  if (isScenario(declared)) return declared;
  if (isSystem(declared)) return defineScenario({ system: declared });
  throw new SynodError(
    "failed_precondition",
    `${path} declares neither a system nor a scenario: end it with \`export default defineSystem({ … })\` or \`export default defineScenario({ … })\`.`,
  );
}
