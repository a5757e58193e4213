/** Under an old Node every way in says one sentence: `npx synod`, `npm start`, `npm test`, `npm run check`. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { bin, finished, root } from "./running-system.ts";

const sentence =
  /^Synod needs Node 24 or newer and this is Node \d+\.\d+\.\d+: (?:use `npx synod` in this folder, which has one, or )?install it from https:\/\/nodejs\.org\.\n$/;
const pretendsToBeOld = `data:text/javascript,
  Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.19.0" } })`;

/** The Node of this machine, if it is an old one: only that shows that the syntax is old enough too. */
function oldNodes(): string[] {
  return ["/usr/bin/node", "/usr/local/bin/node"].filter((path) => {
    try {
      const version = execFileSync(path, ["-p", "process.versions.node"], { encoding: "utf8" });
      return Number(version.split(".")[0]) < 24;
    } catch {
      return false;
    }
  });
}

test("an old Node gets one sentence that says what to do, and exit code 1", async () => {
  const ways = [[process.execPath, "--import", pretendsToBeOld], ...oldNodes().map((path) => [path])];
  for (const [node, ...flags] of ways) {
    for (const program of [bin, join(root, "bin/node-version.js")]) {
      for (const cwd of [root, tmpdir()]) {
        const child = spawn(node!, [...flags, program, "status"], { cwd, stdio: ["ignore", "pipe", "pipe"] });
        const { code, stdout, stderr } = await finished(child);
        assert.deepEqual([code, stdout], [1, ""]);
        assert.match(stderr, sentence);
        assert.equal(stderr.includes("npx synod"), cwd === root, "only where npm has brought one");
      }
    }
  }
});

test("every script that needs the new Node starts with one that looks at the version", () => {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    scripts: Record<string, string>;
  };
  assert.match(scripts.start!, /^node bin\/synod\.js /);
  assert.equal(scripts.pretest, "node bin/node-version.js");
  assert.equal(scripts.precheck, "node bin/node-version.js");
});
