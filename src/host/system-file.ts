/** Loads the file in which a system is declared. Whatever is wrong with it is told in one sentence. */
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { SynodError } from "../errors.ts";
import { isSystem, type System } from "../service/system.ts";
import { displayPath, explainLoadError } from "./load-errors.ts";

/** How long a file may load before it is said that it does, ms. */
const loadSoonMs = 5_000;

/** The system that a file declares by `export default defineSystem({ … })`. `tell` is told in words when that takes long. */
export async function loadSystem(path: string, tell: (words: string) => void = tellPeople): Promise<System> {
  const file = resolve(path);
  const shown = displayPath(file);
  const found = await stat(file).catch(() => undefined);
  if (!found) throw refusal(`There is no file ${shown}: give the path of the file that declares the system.`);
  if (!found.isFile()) throw refusal(`${shown} is not a file: give the path of the file that declares the system.`);
  const module = await importModule(file, tell);
  if (!("default" in module)) {
    throw refusal(`${shown} has no default export: end it with \`export default defineSystem({ … })\`.`);
  }
  if (!isSystem(module.default)) {
    const what = module.default === null ? "null" : typeof module.default;
    throw refusal(`The default export of ${shown} is not a system (${what}): make it with \`defineSystem({ … })\`.`);
  }
  return module.default;
}

async function importModule(file: string, tell: (words: string) => void): Promise<Record<string, unknown>> {
  const late = setTimeout(() => {
    const why = "a top-level await in it, or in what it imports, waits for something";
    tell(`${displayPath(file)} is still being loaded after ${loadSoonMs / 1_000} s: ${why}`);
  }, loadSoonMs);
  try {
    return (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  } catch (thrown) {
    throw explainLoadError(file, thrown);
  } finally {
    clearTimeout(late);
  }
}

function tellPeople(words: string): void {
  process.stderr.write(`synod: ${words}\n`);
}

function refusal(sentence: string): SynodError {
  return new SynodError("failed_precondition", sentence);
}
