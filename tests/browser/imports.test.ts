/**
 * What runs in a browser: `synod/client`, and as much of `synod` as a file of interfaces needs. The graph of their
 * imports is walked from the entries; nothing in it may need Node or a package.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  exports: Record<string, Record<string, string>>;
};
/** What browsers have, of all that the sources of the client library could reach for. */
const nodeGlobals = /\b(process|Buffer|require|__dirname|__filename|setImmediate|global)\b(?!["'`:])/;

/** The code of a source file as it is published: without its types and its comments. */
function codeOf(file: string): string {
  const code = stripTypeScriptTypes(readFileSync(file, "utf8"));
  return code.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
}

/** Every file that is loaded with an entry, with what each of them imports that is no file of ours. */
function walk(entry: string): { files: Map<string, string>; foreign: string[] } {
  const files = new Map<string, string>();
  const foreign: string[] = [];
  const visit = (file: string): void => {
    if (files.has(file)) return;
    const code = codeOf(file);
    files.set(file, code);
    for (const [, specifier] of code.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']/g)) {
      if (/^\.{1,2}\//.test(specifier!)) visit(join(dirname(file), specifier!));
      else foreign.push(`${relative(root, file)} imports ${specifier}`);
    }
  };
  visit(join(root, entry));
  return { files, foreign };
}

/** The source of what an export condition names in `dist`. */
function sourceOf(built: string | undefined): string {
  assert.ok(built !== undefined);
  return built.replace("./dist/", "src/").replace(/\.js$/, ".ts");
}

for (const [name, condition, atLeast] of [
  ["./client", "default", 8],
  [".", "browser", 4],
] as const) {
  const entry = sourceOf(exports[name]?.[condition]);

  test(`${entry} and all that it loads import nothing but each other`, () => {
    const { files, foreign } = walk(entry);
    assert.ok(files.size >= atLeast, `${files.size} files were visited`);
    assert.deepEqual(foreign, []);
  });

  test(`${entry} and all that it loads use nothing that only Node has`, () => {
    const { files } = walk(entry);
    const users = [...files].filter(([, code]) => nodeGlobals.test(code)).map(([file]) => relative(root, file));
    assert.deepEqual(users, []);
  });
}

test("the walk sees imports of Node and of packages where there are some", () => {
  const { foreign } = walk("src/index.ts");
  assert.ok(foreign.some((one) => one.includes("node:")));
  assert.ok(foreign.some((one) => one.includes("fastify") || one.includes("pino")));
});

test("`synod` gives a browser the values that a file of interfaces imports", async () => {
  const [browser, node] = await Promise.all([import("../../src/browser.ts"), import("../../src/index.ts")]);
  for (const [name, exported] of Object.entries(browser)) assert.equal(exported, Reflect.get(node, name), name);
  assert.deepEqual(Object.keys(browser).sort(), ["SynodError", "command", "defineInterface", "query"]);
});
