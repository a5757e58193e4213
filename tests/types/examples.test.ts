/**
 * Everything that the package exports has a documentation comment with an example, and every example compiles and
 * runs: in a project of its own, as a user would paste it.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { before, describe, test } from "node:test";
import { createProject, type Diagnostic } from "./project.ts";

interface Documented {
  readonly name: string;
  readonly examples: readonly string[];
}

const entries = ["index.ts", "client/index.ts"].map((file) => new URL(`../../src/${file}`, import.meta.url));

/** The exported names of an entry, each with the examples in the comment over its declaration. */
function documentedIn(entry: URL): readonly Documented[] {
  const exports = /^export (?:type )?\{([^}]*)\} from "([^"]+)";$/gm;
  return [...readFileSync(entry, "utf8").matchAll(exports)].flatMap(([, names, from]) => {
    const source = readFileSync(new URL(from!, entry), "utf8");
    const listed = names!.split(",").map((one) => one.trim().replace(/^type /, ""));
    return listed.filter((name) => name !== "").map((name) => ({ name, examples: examplesOf(name, source) }));
  });
}

function examplesOf(name: string, source: string): readonly string[] {
  const declaration = new RegExp(`^export (?:async )?(?:class|function|const|interface|type) ${name}\\b`, "m");
  const at = declaration.exec(source)?.index;
  assert.ok(at !== undefined, `${name} is not declared where the entry says`);
  const before = source.slice(0, at);
  const comment = before.endsWith("*/\n") ? before.slice(before.lastIndexOf("/**")) : "";
  const text = comment.replaceAll(/^ \* ?/gm, "");
  return [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code!);
}

const symbols = entries.flatMap(documentedIn);
// Numbered, because `Query` and `query` are one file to some file systems.
const files = Object.fromEntries(
  symbols.flatMap(({ name, examples }, index) => examples.map((code) => [`${index + 1}-${name}.ts`, code])),
);

/** `console.assert` only prints; here it fails. */
const preamble = `console.assert = (holds, ...what) => { if (!holds) throw new Error("an assertion of the example fails " + what); };\n`;
const runner = `${preamble}for (const file of ${JSON.stringify(Object.keys(files))}) {
  try {
    await import("./" + file);
  } catch (error) {
    console.log(file, error);
    process.exitCode = 1;
  }
}`;

describe("examples in documentation comments", () => {
  let diagnostics: readonly Diagnostic[];
  let failure: Error | undefined;

  before(async () => {
    await using project = await createProject({ ...files, "run.js": runner });
    diagnostics = (await project.check()).filter(({ file }) => file in files);
    await project.run("run.js").catch((error: Error) => {
      failure = error;
    });
  });

  test("stand over every export", () => {
    assert.ok(symbols.length > 20, `the entries export ${symbols.length} symbols`);
    assert.deepEqual(
      symbols.filter(({ examples }) => examples.length === 0).map(({ name }) => name),
      [],
    );
  });

  test("say something that can fail when they run", () => {
    for (const [file, code] of Object.entries(files)) assert.match(code, /console\.assert\(|defineSystem\(/, file);
  });

  test("compile", () => {
    assert.deepEqual(diagnostics, []);
  });

  test("run, and their assertions hold", () => {
    assert.equal(failure, undefined, failure?.message);
  });
});
