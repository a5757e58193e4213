/** `npm run demo:sim` shows what it says. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root, temporaryFolder } from "../host/running-system.ts";

test("without the check of the epoch a seed loses a deposit, again and again; with it, the same seeds pass", async () => {
  using folder = temporaryFolder();
  const demo = join(root, "examples/bank/simulation/demo.ts");
  const child = spawn(process.execPath, ["--conditions=synod-source", demo, "2"], { cwd: folder.path });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  assert.equal(code, 0, output);
  assert.match(
    output,
    /two owners: shard account\/\d accepted a commit of node-\d .* at epoch \d+ after one of node-\d/,
  );
  assert.match(
    output,
    /an acknowledged deposit was lost: deposit \{"amount":\d+\} on account\/account-\d by client-\d/,
  );
  assert.match(output, /the same run, byte for byte/);
  assert.match(output, />>>.*✗ +node-\d: commit account\/\d at epoch \d+/);
  const [, checked] = output.split("4. The check on again");
  assert.match(checked!, /seed \d+: nothing found/);
  assert.doesNotMatch(checked!, /two owners|was lost/);
  assert.match(readFileSync(join(folder.path, ".synod/demo-sim.html"), "utf8"), /<svg id="diagram"/);
});
