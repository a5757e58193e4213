/** Each defect that is put into the runtime fails a run, and the line that is printed then replays just that run. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { root } from "../host/running-system.ts";
import { mutationSeeds } from "./mutation-seeds.ts";

const program = fileURLToPath(new URL("replays.ts", import.meta.url));
const outputLengthMax = 256 * 1024 * 1024;
const names = Object.keys(mutationSeeds);

async function replays(...words: readonly string[]): Promise<string> {
  const args = ["--conditions=synod-source", program, ...words];
  return (await promisify(execFile)(process.execPath, args, { cwd: root, maxBuffer: outputLengthMax })).stdout;
}

/** What each of these lines printed when it was run. */
async function outputsOf(lines: readonly string[]): Promise<Map<string, string>> {
  const parts = (await replays(...lines)).split(/^> (.*)\n/m).slice(1);
  return new Map(lines.map((_, index) => [parts[2 * index]!, parts[2 * index + 1]!]));
}

test("with each of these mutations a run fails, and the line that replays it gives the same trace, byte for byte", async () => {
  const found = (await replays("--find", ...names)).trim().split("\n");
  const lines = found.map((text) => text.slice(text.indexOf(": ") + 2));
  const [first, second] = await Promise.all([outputsOf(lines), outputsOf(lines.toReversed())]);
  for (const [index, line] of lines.entries()) {
    const output = first.get(line)!;
    assert.match(output, /^ended with 1$/m, line);
    assert.ok(output.includes(`replay it: ${line} --trace`), line);
    assert.ok(
      output.endsWith(`trace ${found[index]!.split(" ")[0]}\nended with 1\n`),
      `${line}: the run that was found`,
    );
    assert.ok(output.split("\n").length > 100, line);
    assert.ok(output === second.get(line), `${line} gives the same run each time`);
  }
  assert.equal(lines.length, names.length);
});
