import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { z } from "zod";
import { command, defineInterface, defineSystem, implement } from "../../src/index.ts";
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

test("so is one whose handlers throw while others wait for them on another node, and its trace says where", async () => {
  const Till = defineInterface("till", { key: z.enum(["a", "b", "c", "d"]), operations: { ring: command() } });
  const till = implement(Till, {
    state: { version: 1, initial: () => ({ rings: 0 }) },
    operations: {
      ring: (ctx) => {
        ctx.state.rings += 1;
        if (Math.random() < 0.5) throw new Error("this till is stuck");
      },
    },
  });
  const scenario = defineScenario({ system: defineSystem({ name: "tills", services: [till] }) });
  for (const seed of [1, 2, 3]) {
    const options = { scenario, seed, endsAtMs: 4_000 };
    const [kept, bare] = [await simulate({ ...options, keepTrace: true }), await simulate(options)];
    const thrown = kept.trace.filter(({ what }) => what === "throws").map(({ text }) => text);
    assert.match(thrown[0]!, /^till\/[a-d]\.ring: Error: this till is stuck, at ring \(.*determinism\.test\.ts:\S+\)$/);
    assert.equal(kept.digest, bare.digest, `seed ${seed}`);
  }
});
