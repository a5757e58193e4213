/** A failing case as a test of the user's own project: `node --test` runs it, and it passes once the defect is mended. */
import { dirname, relative } from "node:path";
import type { Case } from "../case.ts";
import type { Failure } from "../shrink/shrink.ts";

export interface RegressionTestOptions {
  /** Where the test will lie, and the file of the system or the scenario: paths from the same folder. */
  readonly testFile: string;
  readonly file: string;
}

export function regressionTestOf(failure: Failure, { testFile, file }: RegressionTestOptions): string {
  const { case: one, violation } = failure;
  const path = relative(dirname(testFile), file).replaceAll("\\", "/");
  const url = path.startsWith(".") ? path : `./${path}`;
  const [sentence = ""] = violation.text.split("\n");
  return [
    "/**",
    ` * Found by \`synod sim\` with seed ${one.seed}, and made small. It said, of the promise "${commentOf(violation.promise)}":`,
    " *",
    ...violation.text.split("\n").map((line) => ` *     ${commentOf(line)}`.trimEnd()),
    " */",
    'import assert from "node:assert/strict";',
    'import { test } from "node:test";',
    'import { loadScenario, type SimulatedCase, simulate } from "synod/simulation";',
    "",
    `const failing: SimulatedCase = ${caseAsText(one)};`,
    "",
    `test(${JSON.stringify(`${violation.promise}: ${sentence}`)}, async () => {`,
    `  const scenario = await loadScenario(new URL(${JSON.stringify(url)}, import.meta.url));`,
    "  const { violations } = await simulate({ scenario, ...failing });",
    "  assert.deepEqual(violations, []);",
    "});",
    "",
  ].join("\n");
}

/** One fault and one operation to a line. */
function caseAsText({ plan, operations, ...rest }: Case): string {
  const list = (parts: readonly unknown[]): string =>
    parts.length === 0 ? "[]" : `[\n${parts.map((part) => `    ${JSON.stringify(part)},`).join("\n")}\n  ]`;
  const fields = Object.entries(rest).map(([name, value]) => `  ${name}: ${JSON.stringify(value)},`);
  return ["{", ...fields, `  plan: ${list(plan)},`, `  operations: ${list(operations)},`, "}"].join("\n");
}

/** Text that does not end the comment it stands in. */
function commentOf(line: string): string {
  return line.replaceAll("*/", "* /");
}
