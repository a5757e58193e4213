/** The interpreter itself: a scenario that cannot fail would be worth nothing. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

/** Plays one scenario against a core that says what it heard, in a process of its own. */
function play(
  text: string,
  environment: Record<string, string> = {},
): { passed: boolean; output: string; after: string } {
  const folder = mkdtempSync(join(tmpdir(), "synod-scenario-"));
  try {
    writeFileSync(join(folder, "one.txt"), text);
    const interpreter = new URL("./interpreter.ts", import.meta.url).href;
    const script = `
      import { scenarios } from ${JSON.stringify(interpreter)};
      scenarios(new URL(${JSON.stringify(`${pathToFileURL(folder).href}/`)}), () => (command) =>
        command.words[0] === "quiet" ? [] : [\`heard \${command.words.join(",")} n=\${command.option("n")}\`]);`;
    const args = ["--input-type=module", "-e", script];
    // Without this the child takes itself for a part of this test run and reports to nobody.
    const env = { ...process.env, ...environment, NODE_TEST_CONTEXT: "" };
    try {
      const output = execFileSync(process.execPath, args, { encoding: "utf8", env, stdio: "pipe" });
      return { passed: true, output, after: readFileSync(join(folder, "one.txt"), "utf8") };
    } catch (error) {
      return { passed: false, output: String((error as { stdout?: unknown }).stdout), after: "" };
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const good =
  '# Why.\nsay hello "to you" n=1\nsay more\n----\nheard say,hello,to you n=1\nheard say,more n=undefined\n\nquiet\n----\nok\n';

test("a scenario whose transcript is right passes, and is written back as it was", () => {
  assert.ok(play(good).passed);
  assert.equal(play(good, { UPDATE_SCENARIOS: "1" }).after, good);
});

test("a scenario whose transcript is wrong fails, and can be rewritten", () => {
  const wrong = good.replace("n=1\nheard say,more", "n=2\nheard say,more");
  assert.match(play(wrong).output, /heard say,hello,to you n=1/);
  assert.equal(play(wrong).passed, false);
  assert.equal(play(wrong, { UPDATE_SCENARIOS: "1" }).after, good);
});

test("a scenario with a missing line, an unknown option or no block at all fails", () => {
  for (const broken of ["say\n\nquiet\n----\nok\n", "say x=1\n----\nheard say n=undefined\n", "# Nothing.\n", ""]) {
    assert.equal(play(broken).passed, false, JSON.stringify(broken));
  }
});
