/**
 * The house rules that no other tool checks: who may import whom, how long files and functions may be, that a
 * core never reads a clock, that every error code is documented. Each rule fails if it visited no file.
 */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { statusCodes } from "../src/errors.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * What each folder of src/ may import besides itself (docs/architecture.md, "Folders"). A name that ends in "/*"
 * stands for each folder inside it, which may not import its siblings.
 */
const imports: Readonly<Record<string, readonly string[]>> = {
  "errors.ts": [],
  values: ["errors.ts"],
  ports: ["values", "errors.ts"],
  service: ["values", "errors.ts", "ports"],
  wire: ["values", "errors.ts"],
  core: ["values", "errors.ts", "ports"],
  runtime: ["core", "wire", "ports", "service", "values", "errors.ts"],
  "adapters/*": ["ports", "service", "values", "errors.ts"],
  availability: ["pictures", "values", "errors.ts"],
  backup: ["ports", "values", "errors.ts"],
  drill: ["availability", "capacity", "client", "pictures", "simulation", "service", "values", "errors.ts"],
  host: ["availability", "drill", "runtime", "adapters", "admin", "service", "ports", "values", "errors.ts"],
  admin: ["availability", "drill", "ports", "runtime", "values", "errors.ts"],
  conformance: ["ports", "values", "errors.ts"],
  simulation: ["runtime", "core", "wire", "ports", "adapters/memory", "pictures", "service", "values", "errors.ts"],
  cli: [
    "index.ts",
    "availability",
    "backup",
    "capacity",
    "drill",
    "simulation",
    "upgrade",
    "host",
    "admin",
    "service",
    "adapters",
    "values",
    "ports",
    "errors.ts",
  ],
  pictures: ["values"],
  capacity: ["index.ts", "pictures", "values", "errors.ts"],
  client: ["service", "values", "errors.ts"],
  upgrade: ["service", "values", "errors.ts"],
  "browser.ts": ["service", "errors.ts"],
  "index.ts": ["service", "host", "ports", "values", "errors.ts"],
};

/** Ratchets: lower them when the code allows it, never raise them without a reason in the commit. */
const fileLinesMax = 500;
const functionLinesMax = 60;

const sources = globSync("src/**/*.ts", { cwd: root }).filter((file) => !file.endsWith(".d.ts"));
const productSources = sources.filter((file) => !file.endsWith(".test.ts"));

function read(file: string): string {
  return readFileSync(join(root, file), "utf8");
}

/** The row of the table that a file of src/ belongs to, such as `core`, `adapters/http` or `errors.ts`. */
function roomOf(path: string): string {
  const [first, second] = path.split("/");
  return first === "adapters" ? `adapters/${second}` : first!;
}

function allowed(room: string): readonly string[] {
  const row = imports[room] ?? (room.startsWith("adapters/") ? imports["adapters/*"] : undefined);
  assert.ok(row, `src/${room} has no row in the import table`);
  return row;
}

function importsOf(file: string): string[] {
  const specifiers = [...read(file).matchAll(/(?:from|import)\s*\(?\s*"(\.{1,2}\/[^"]+)"/g)].map((match) => match[1]!);
  return specifiers.map((specifier) => normalize(join(dirname(file), specifier)));
}

test("every folder of src imports only what the table allows", () => {
  assert.ok(productSources.length > 50, "no sources were visited");
  const broken: string[] = [];
  for (const file of productSources) {
    const room = roomOf(file.slice("src/".length));
    const row = allowed(room);
    for (const imported of importsOf(file)) {
      const target = roomOf(imported.slice("src/".length));
      const fine = target === room || row.includes(target) || row.includes(target.split("/")[0]!);
      if (!fine) broken.push(`${file} imports ${imported}`);
    }
  }
  assert.deepEqual(broken, []);
});

test("a core reads no clock, makes no chance, sets no timer and does no I/O", () => {
  const forbidden =
    /\b(Date|performance|setTimeout|setInterval|setImmediate|queueMicrotask|crypto|process|Promise)\b|Math\.random|\basync\b|"node:/;
  const cores = productSources.filter((file) => file.startsWith("src/core/"));
  assert.ok(cores.length > 5, "no cores were visited");
  const broken = cores.flatMap((file) =>
    withoutComments(read(file))
      .split("\n")
      .flatMap((line, index) => (forbidden.test(line) ? [`${file}:${index + 1}: ${line.trim()}`] : [])),
  );
  assert.deepEqual(broken, []);
});

test(`no file is longer than ${fileLinesMax} lines`, () => {
  const long = sources.filter((file) => read(file).split("\n").length > fileLinesMax);
  assert.deepEqual(long, []);
});

test(`no function is longer than ${functionLinesMax} lines`, () => {
  // A suite of the conformance folder is a list of tests, each of which is the function that has to fit.
  const code = productSources.filter((file) => !file.startsWith("src/conformance/"));
  const long = code.flatMap((file) => longFunctions(file, read(file)));
  assert.deepEqual(long, []);
});

test("no folder is a dumping ground and no barrel stands inside the house", () => {
  const entryPoints = new Set([
    "src/index.ts",
    "src/adapters/http/index.ts",
    "src/adapters/postgres/index.ts",
    "src/client/index.ts",
    "src/conformance/index.ts",
    "src/simulation/index.ts",
  ]);
  const broken = sources.filter(
    (file) =>
      /\/(utils?|common|helpers?|misc)(\/|\.ts$)/.test(file) || (file.endsWith("/index.ts") && !entryPoints.has(file)),
  );
  assert.deepEqual(broken, []);
});

test("docs/errors.md documents exactly the codes that exist", () => {
  const documented = [...read("docs/errors.md").matchAll(/^## `([a-z_]+)`/gm)].map((match) => match[1]);
  assert.deepEqual(documented.toSorted(), Object.keys(statusCodes).toSorted());
});

test("nothing is left open, skipped or narrowed", () => {
  const files = [...sources, ...globSync("tests/**/*.ts", { cwd: root })].filter(
    (file) => !file.endsWith("tidy.test.ts"),
  );
  const open = files.filter((file) => /\b(TODO|FIXME|XXX|HACK)\b|\btest\.(skip|only|todo)\b/.test(read(file)));
  assert.deepEqual(open, []);
});

function withoutComments(text: string): string {
  return text
    .replaceAll(/\/\*[\s\S]*?\*\//g, (comment) => comment.replaceAll(/[^\n]/g, ""))
    .replaceAll(/\/\/.*$/gm, "");
}

/**
 * Functions by their layout, which the formatter makes reliable: a line that opens a function or a method
 * ends at the next line that closes a brace at the same depth.
 */
function longFunctions(file: string, text: string): string[] {
  const lines = text.split("\n");
  const found: string[] = [];
  for (const [start, line] of lines.entries()) {
    const opens =
      /^(\s*)(?:export )?(?:async )?(?:function\b|(?:static |async |get |set |private )*[#\w]+\(.*\).*\{$|const \w+ = .*=> \{$)/.exec(
        line,
      );
    if (opens === null || /^\s*(?:if|for|while|switch|return|test|describe|catch)\b/.test(line)) continue;
    const end = lines.findIndex((other, index) => index > start && other.startsWith(`${opens[1]}}`));
    if (end - start + 1 > functionLinesMax) found.push(`${file}:${start + 1} (${end - start + 1} lines)`);
  }
  return found;
}
