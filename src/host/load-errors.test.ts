import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { SynodError } from "../errors.ts";
import { loadSystem } from "./system-file.ts";

const folder = mkdtempSync(join(tmpdir(), "synod-load-"));
after(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, "package.json"), '{"type":"module"}');
writeFileSync(join(folder, "other.ts"), "export const a = 1; export type T = string;\n");
writeFileSync(join(folder, "data.json"), "{}");

let files = 0;

async function refusalOf(source: string): Promise<string> {
  const name = `case-${++files}.ts`;
  writeFileSync(join(folder, name), source);
  const error = await loadSystem(join(folder, name)).then(
    () => assert.fail("the file was loaded"),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof SynodError);
  assert.equal(error.message.split("\n").length, 1, "one sentence");
  return error.message.replaceAll(`${folder}/`, "").replaceAll(name, "FILE");
}

const refusals: [about: string, source: string, sentence: RegExp][] = [
  [
    "an enum",
    "const x = 1;\nenum A { X }\nexport default A;",
    /^FILE:2 uses an enum, but Node runs TypeScript by stripping types: use a constant object/,
  ],
  [
    "a namespace",
    "namespace N { export const x = 1 }",
    /^FILE:1 uses a namespace declaration, .* use a module of its own/,
  ],
  [
    "a parameter property",
    "class A { constructor(private x: number) {} }",
    /^FILE:1 uses a parameter property, .* a field/,
  ],
  [
    "`import x = require()`",
    'import x = require("fs");',
    /^FILE:1 uses an import equals declaration, .*`import … from`/,
  ],
  [
    "an import without its extension",
    'import { a } from "./other";',
    /^FILE imports "\.\/other", but .* write "\.\/other\.ts"\.$/,
  ],
  [
    "an import of the built file",
    'import { a } from "./other.js";',
    /^FILE imports "\.\/other\.js", but .* write "\.\/other\.ts"\.$/,
  ],
  [
    "an import of nothing",
    'import { a } from "./nowhere.ts";',
    /^FILE imports "\.\/nowhere\.ts", and there is no such file\.$/,
  ],
  ["a folder", 'import "./";', /^FILE imports/],
  [
    "a missing package",
    'import "@nobody/nothing/deep";',
    /the package "@nobody\/nothing", which is not installed: run `npm install @nobody\/nothing`/,
  ],
  [
    "a missing export",
    'import { T } from "./other.ts";',
    /^FILE:1 imports "T" from "\.\/other\.ts", which does not export it \(a type needs `import type`\)/,
  ],
  ["JSON without an attribute", 'import d from "./data.json";', /add `with \{ type: "json" \}`/],
  ["a syntax error", "const x = 1;\nexport default {{;", /^FILE:2 has a syntax error: /],
  ["a decorator", "@d class A {}\nfunction d() {}", /^FILE has a syntax error: .*decorators/],
  ["a throw", '\n\nthrow new Error("boom");', /^FILE:3 threw while it was loaded: boom$/],
  ["a rejection", 'await Promise.reject(new Error("boom"));', /^FILE:1 threw while it was loaded: boom$/],
  ["something thrown that is no error", 'throw "boom";', /^FILE threw while it was loaded: boom$/],
  ["no default export", "export const x = 1;", /^FILE has no default export: end it with `export default defineSystem/],
  ["another default export", "export default () => 1;", /^The default export of FILE is not a system \(function\)/],
  ["a null default export", "export default null;", /is not a system \(null\)/],
];

for (const [about, source, sentence] of refusals) {
  test(`a system file with ${about} is refused in one sentence`, async () => {
    assert.match(await refusalOf(source), sentence);
  });
}

test("a system file that is not there, or is a folder, is refused in one sentence", async () => {
  await assert.rejects(loadSystem(join(folder, "nothing.ts")), /There is no file .*nothing\.ts/);
  await assert.rejects(loadSystem(folder), /is not a file/);
});

test("a JSON file in place of a system is named as what it is", async () => {
  await assert.rejects(loadSystem(join(folder, "data.json")), /data\.json is JSON: give the file of code/);
});
