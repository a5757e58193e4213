/**
 * Module instances: each process of each node has the user's modules for itself, as it has on real machines. What a
 * module keeps in its variables is known to one node only, and lost when its process ends; whoever builds on more than
 * that has a defect, and a run shows it.
 *
 * An instance is the same files under other URLs: a query that names it is appended to the entry, and to every module
 * of the user that a module with such a query imports. Packages and Synod itself have no query and are shared. Node
 * never forgets an instance, which is why campaigns replace their workers.
 */
import { createRequire, type LoadFnOutput, registerHooks, stripTypeScriptTypes } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { SynodError } from "../../errors.ts";
import { type Place, placeNow, runAt, runOutside } from "./place.ts";

/** How long modules may take to load in real time, ms. */
const loadMaxMs = 30_000;
const queryForm = /[?&](synod-node=[^&#]*)/;
/** Src, dist and bin of this package: what imports `synod` gets the one that is running. */
const root = new URL("../../../", import.meta.url).href;
const own = ["src/", "dist/", "bin/"].map((folder) => root + folder);
const { cache: commonJsModules } = createRequire(import.meta.url);
const realTimeout = setTimeout;

let instances = 0;
let hooked = false;
/** Instances are loaded one after the other: modules of CommonJS go by their file alone, and are set aside meanwhile. */
let line: Promise<unknown> = Promise.resolve();
/** Each file as it was read first, without its types. */
const sources = new Map<string, LoadFnOutput>();

/** The exports of a new instance of this file, loaded at a place. */
export function loadInstance(file: string, place: Place): Promise<Record<string, unknown>> {
  registerOnce();
  const url = `${pathToFileURL(file).href}?synod-node=${place.name}.${++instances}`;
  const loaded = line.then(() => load(url, place));
  line = loaded.catch(() => {});
  return loaded;
}

/** The same text with the files alone: instances are counted, so that their names differ from one time to the next. */
export function withoutInstances(text: string): string {
  return text.replace(/[?&]synod-node=[^&#:)\s]*/g, "");
}

async function load(url: string, place: Place): Promise<Record<string, unknown>> {
  const others = setAside();
  place.loads++;
  try {
    return await withinTime(
      runAt(place, () => import(url) as Promise<Record<string, unknown>>),
      fileURLToPath(url),
    );
  } finally {
    place.loads--;
    setAside();
    Object.assign(commonJsModules, others);
  }
}

/** Takes the user's modules of CommonJS out of Node's cache. */
function setAside(): typeof commonJsModules {
  const aside: typeof commonJsModules = {};
  for (const [file, module] of Object.entries(commonJsModules)) {
    if (!isUserModule(pathToFileURL(file).href)) continue;
    aside[file] = module;
    delete commonJsModules[file];
  }
  return aside;
}

async function withinTime<T>(work: Promise<T>, file: string): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = runOutside(() =>
    realTimeout(() => {
      const sentence = `${file} was not loaded after ${loadMaxMs / 1_000} s: does it wait for a timer at its top level? No time passes while a module is loaded.`;
      reject(new SynodError("failed_precondition", sentence));
    }, loadMaxMs),
  );
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A file that is neither in a package nor of Synod. */
function isUserModule(url: string): boolean {
  return url.startsWith("file:") && !url.includes("/node_modules/") && !own.some((folder) => url.startsWith(folder));
}

/** For as long as the process lives: a module may import another at any time. URLs without a query pass through. */
function registerOnce(): void {
  if (hooked) return;
  hooked = true;
  registerHooks({
    resolve: (specifier, context, next) => {
      const query = queryForm.exec(context.parentURL ?? "")?.[1];
      const resolved = reading(() => next(specifier, context));
      if (query === undefined || !isUserModule(resolved.url) || queryForm.test(resolved.url)) return resolved;
      return { ...resolved, url: `${resolved.url}${resolved.url.includes("?") ? "&" : "?"}${query}` };
    },
    load: (url, context, next) => {
      if (!queryForm.test(url)) return reading(() => next(url, context));
      const file = url.replace(queryForm, "");
      const known = sources.get(file);
      if (known !== undefined) return { ...known, shortCircuit: true };
      const read = withoutTypes(reading(() => next(url, context)));
      sources.set(file, read);
      return { ...read, shortCircuit: true };
    },
  });
}

/** Node reads modules with the functions that are refused to user code. */
function reading<T>(read: () => T): T {
  const place = placeNow();
  if (place === undefined) return read();
  place.loads++;
  try {
    return read();
  } finally {
    place.loads--;
  }
}

/** What Node itself does with TypeScript, once for a file. What it cannot strip is left to it: it says best why. */
function withoutTypes(read: LoadFnOutput): LoadFnOutput {
  if (read.format !== "module-typescript" && read.format !== "commonjs-typescript") return read;
  const { emitWarning } = process;
  // That the function is experimental concerns whoever calls it, not whoever reads the terminal.
  process.emitWarning = () => {};
  try {
    const source = stripTypeScriptTypes(textOf(read.source));
    return { ...read, source, format: read.format === "module-typescript" ? "module" : "commonjs" };
  } catch {
    return read;
  } finally {
    process.emitWarning = emitWarning;
  }
}

function textOf(source: LoadFnOutput["source"]): string {
  return typeof source === "string" ? source : new TextDecoder().decode(source as Uint8Array);
}
