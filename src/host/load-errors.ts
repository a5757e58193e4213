/**
 * Turns what Node throws while it loads a user's modules into one sentence that says where and what to do.
 * Node runs TypeScript by stripping types, which surprises people in a few known ways; each has its words here.
 */
import { existsSync } from "node:fs";
import { dirname, extname, isAbsolute, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { SynodError } from "../errors.ts";

/** A path as people want to read it: relative to where they are, when it lies below. */
export function displayPath(path: string): string {
  const near = relative(process.cwd(), path);
  return near === "" || near.startsWith("..") || isAbsolute(near) ? path : near;
}

/** Why the module at `file`, or one that it imports, could not be loaded. */
export function explainLoadError(file: string, thrown: unknown): SynodError {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const code = (error as NodeJS.ErrnoException).code ?? "";
  const where = locate(error) ?? displayPath(file);
  const explain = error.name === "SynodError" ? explainDefinition : explanations[code];
  const sentence =
    explain?.(error, where) ??
    (error instanceof SyntaxError
      ? explainSyntax(error, where)
      : `${where} threw while it was loaded: ${error.message}`);
  return new SynodError("failed_precondition", sentence, { cause: thrown });
}

/** `file:line` of the user's code in an error: the source line that Node puts on top, or the first frame. */
function locate(error: Error): string | undefined {
  const stack = error.stack ?? "";
  const shown = /^(file:\/\/\S+?):(\d+)\n/.exec(stack);
  const frames = stack.matchAll(/^ {4}at .*?(file:\/\/[^\s)]+?):(\d+):\d+\)?$/gm);
  const own = new URL("..", import.meta.url).href;
  const place = shown ?? [...frames].find(([, url]) => !url?.startsWith(own) && !url?.includes("/node_modules/"));
  return place ? `${displayPath(fileURLToPath(place[1]!))}:${place[2]}` : undefined;
}

/** Synod's own checks of a definition are sentences already. */
function explainDefinition(error: Error, where: string): string {
  return `${where} cannot be used: ${error.message}`;
}

const explanations: Record<string, (error: Error, where: string) => string | undefined> = {
  ERR_MODULE_NOT_FOUND: explainMissing,
  ERR_UNSUPPORTED_DIR_IMPORT: explainMissing,
  ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX: (error, where) => {
    const what = /^TypeScript (.+?) (?:is|are) not supported/.exec(error.message)?.[1] ?? "syntax";
    return `${where} uses ${/^[aeiou]/i.test(what) ? "an" : "a"} ${what}, but Node runs TypeScript by stripping types: use ${insteadOf(what)} instead.`;
  },
  ERR_INVALID_TYPESCRIPT_SYNTAX: (error, where) => `${where} has a syntax error: ${error.message}`,
  ERR_IMPORT_ATTRIBUTE_MISSING: (error, where) =>
    where.endsWith(".json")
      ? `${where} is JSON: give the file of code that declares the system, such as system.ts.`
      : `${where} imports JSON without saying so: add \`with { type: "json" }\` to the import of ${/"(file:[^"]+)"/.exec(error.message)?.[1] ?? "the file"}.`,
  ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING: (error) =>
    `Node does not run TypeScript inside node_modules: import the package's JavaScript (${error.message}).`,
};

function insteadOf(what: string): string {
  if (what.includes("enum")) return 'a constant object or a union of literals (`type Color = "red" | "blue"`)';
  if (what.includes("namespace")) return "a module of its own";
  if (what.includes("parameter property")) return "a field that the constructor assigns";
  if (what.includes("import equals")) return "`import … from`";
  if (what.includes("export assignment")) return "`export default`";
  return "plain JavaScript with types";
}

function explainSyntax(error: Error, where: string): string {
  const missing = /The requested module '(.+)' does not provide an export named '(.+)'/.exec(error.message);
  if (missing) {
    return `${where} imports "${missing[2]}" from "${missing[1]}", which does not export it (a type needs \`import type\`).`;
  }
  const decorator = locate(error) === undefined ? " (decorators are not supported)" : "";
  return `${where} has a syntax error: ${error.message}${decorator}`;
}

function explainMissing(error: Error): string | undefined {
  const missing = /^(?:Cannot find (module|package)|Directory import) '(.+?)' .*imported from (.+)$/.exec(
    error.message,
  );
  if (!missing) return undefined;
  const [, kind, target, importer] = missing as unknown as [string, string | undefined, string, string];
  const from = displayPath(importer);
  if (kind === "package") {
    const name = target.split("/", target.startsWith("@") ? 2 : 1).join("/");
    return `${from} imports the package "${name}", which is not installed: run \`npm install ${name}\`.`;
  }
  const meant = candidates(target).find(existsSync);
  const imports = `${from} imports "${specifier(importer, target)}"`;
  return meant
    ? `${imports}, but Node wants the whole file name: write "${specifier(importer, meant)}".`
    : `${imports}, and there is no such file.`;
}

/** What somebody probably meant who imports a file that is not there. */
function candidates(target: string): string[] {
  const stem = target.slice(0, target.length - extname(target).length);
  return [".ts", ".mts", ".js", ".mjs", "/index.ts", "/index.js"].flatMap((end) => [target + end, stem + end]);
}

function specifier(importer: string, target: string): string {
  const path = relative(dirname(importer), target);
  return path.startsWith(".") ? path : `./${path}`;
}
