/** Loads the file in which a system is declared. Whatever is wrong with it is told in one sentence. */
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { SynodError } from "../errors.ts";
import { isSystem, type System } from "../service/system.ts";
import { displayPath, explainLoadError } from "./load-errors.ts";

/** The system that a file declares by `export default defineSystem({ … })`. */
export async function loadSystem(path: string): Promise<System> {
  const file = resolve(path);
  const shown = displayPath(file);
  const found = await stat(file).catch(() => undefined);
  if (!found) throw refusal(`There is no file ${shown}: give the path of the file that declares the system.`);
  if (!found.isFile()) throw refusal(`${shown} is not a file: give the path of the file that declares the system.`);
  const module = await importModule(file);
  if (!("default" in module)) {
    throw refusal(`${shown} has no default export: end it with \`export default defineSystem({ … })\`.`);
  }
  if (!isSystem(module.default)) {
    const what = module.default === null ? "null" : typeof module.default;
    throw refusal(`The default export of ${shown} is not a system (${what}): make it with \`defineSystem({ … })\`.`);
  }
  return module.default;
}

async function importModule(file: string): Promise<Record<string, unknown>> {
  try {
    return (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  } catch (thrown) {
    throw explainLoadError(file, thrown);
  }
}

function refusal(sentence: string): SynodError {
  return new SynodError("failed_precondition", sentence);
}
