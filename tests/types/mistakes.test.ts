/** Mistakes in services do not compile, and the compiler's words lead to them. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { before, describe, test } from "node:test";
import { createProject, type Diagnostic } from "./project.ts";

const source = (name: string) => readFile(new URL(name, import.meta.url), "utf8");
const [contracts, accepted, mistakes] = await Promise.all(
  ["./contracts.ts", "./accepted.ts", "./mistakes.ts"].map(source),
);
const directive = "// @ts-expect-error ";

/** What the compiler must say, by the line (from 1) that it must say it to. */
const expected = mistakes!.split("\n").flatMap((line, index) => {
  const at = line.indexOf(directive);
  return at < 0 ? [] : [{ line: index + 2, words: line.slice(at + directive.length) }];
});

describe("in a user's project", () => {
  let diagnostics: readonly Diagnostic[];

  before(async () => {
    await using project = await createProject({
      "contracts.ts": contracts!,
      "accepted.ts": accepted!,
      "mistakes.ts": mistakes!.replaceAll(directive, "// expected: "),
    });
    diagnostics = await project.check();
    await project.run("accepted.ts");
  });

  const saidAt = (line: number) => diagnostics.filter((one) => one.file === "mistakes.ts" && one.line === line);

  test("correct use compiles", () => {
    assert.deepEqual(
      diagnostics.filter(({ file }) => file === "accepted.ts" || file === "contracts.ts"),
      [],
    );
  });

  for (const { line, words } of expected) {
    test(`line ${line} of mistakes.ts is refused in the words: ${words}`, () => {
      const messages = saidAt(line).map(({ message }) => message);
      assert.ok(
        messages.some((message) => message.includes(words)),
        `the compiler said: ${messages.join("\n") || "nothing"}`,
      );
    });
  }

  test("nothing but the mistakes is refused", () => {
    assert.ok(expected.length > 30);
    const lines = new Set(expected.map(({ line }) => line));
    assert.deepEqual(
      diagnostics.filter((one) => one.file === "mistakes.ts" && !lines.has(one.line)),
      [],
    );
  });
});
