/** Three hosts with networks of their own, cut off from each other and from the store; see `run.ts`. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { crowding, finished, root } from "../host/running-system.ts";
import { obstacle } from "./network.ts";

const program = join(root, "tests/hosts/run.ts");
const runMaxMs = 4 * 60_000;
const leaseTtlMs = 2_000;
const skip = obstacle() ?? false;

test("histories are linearizable while hosts vanish and are cut off from each other and from the store", {
  skip,
}, async (t) => {
  const child = spawn(process.execPath, ["--conditions=synod-source", program, "--short"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const { code, stdout, stderr } = await finished(child, runMaxMs);
  for (const line of stdout.trim().split("\n")) t.diagnostic(line);
  assert.equal(code, 0, `${stdout}${stderr}`);
  const gapMs = Number(/a host vanishes .* after (\d+) ms/.exec(stdout)?.[1]);
  assert.ok(gapMs < (leaseTtlMs + 1_000) * Math.max(1, crowding()), `its keys answered only after ${gapMs} ms`);
});
