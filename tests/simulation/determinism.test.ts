import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { defineScenario, simulate } from "../../src/simulation/index.ts";
import { formatTraceLine } from "../../src/simulation/world/trace.ts";
import { workshop } from "./workshop-system.ts";

const program = fileURLToPath(new URL("digests.ts", import.meta.url));
const seeds = ["1", "2", "3", "4"];

async function digests(order: readonly string[]): Promise<string[]> {
  const { stdout } = await promisify(execFile)(process.execPath, ["--conditions=synod-source", program, ...order]);
  return stdout.trim().split("\n").sort();
}

test("the same seeds in two processes, in another order, give the same traces (G10)", async () => {
  const [first, second] = await Promise.all([digests(seeds), digests(seeds.toReversed())]);
  assert.equal(first.length, 2 * seeds.length);
  assert.deepEqual(first, second);
  assert.equal(new Set(first.map((line) => line.split(" ")[2])).size, first.length, "another seed is another run");
});

test("a run with its trace kept is, line by line, the run without", async () => {
  const scenario = defineScenario({ system: workshop, duration: "5s" });
  const [kept, again, bare] = [
    await simulate({ scenario, seed: 7, keepTrace: true }),
    await simulate({ scenario, seed: 7, keepTrace: true }),
    await simulate({ scenario, seed: 7 }),
  ];
  assert.ok(kept.trace.length > 1_000);
  assert.equal(bare.trace.length, 0);
  assert.equal(kept.trace.map(formatTraceLine).join("\n"), again.trace.map(formatTraceLine).join("\n"));
  assert.equal(kept.digest, bare.digest);
});
