/** A failing run is made small, keeps what it broke, and can be kept: as a line, as a file, as a test. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { caseOf, decodeCase, encodeCase } from "../../src/simulation/case.ts";
import { defineScenario, simulate } from "../../src/simulation/index.ts";
import { mutations } from "../../src/simulation/mutations.ts";
import { failureOf, type ShrinkProgress, shrink } from "../../src/simulation/shrink/shrink.ts";
import { project } from "../host/project.ts";
import { root } from "../host/running-system.ts";
import { workshop } from "./workshop-system.ts";

const scenario = defineScenario({ system: workshop, duration: "10s" });

async function shrunk(name: string, timeMaxMs: number): Promise<ShrinkProgress> {
  const mutation = mutations.find((one) => one.name === name)!;
  for (let seed = 1; seed <= 50; seed++) {
    const result = await simulate({ scenario, seed, mutation });
    const [violation] = result.violations;
    if (violation === undefined) continue;
    const from = failureOf(caseOf(result, { seed }, scenario.durationMs), result, violation)!;
    const run: Parameters<typeof shrink>[0]["run"] = (one, endsAtMs) =>
      simulate({ scenario, mutation, ...one, endsAtMs });
    const progress = await shrink({ from, run, width: 1, timeMaxMs });
    assert.ok(progress !== undefined, "a run by its list of operations is that run");
    const { smallest } = progress;
    assert.equal(smallest.violation.promise, violation.promise);
    // What is kept is a run that fails: here it is again, from its text.
    const again = await run(decodeCase(encodeCase(smallest.case), "the case"), undefined);
    assert.equal(again.violations[0]?.promise, violation.promise);
    return progress;
  }
  throw new assert.AssertionError({ message: `no seed found ${name}` });
}

for (const name of ["reply-before-durable", "epoch-not-increased"]) {
  test(`a run that shows ${name} keeps at most 5 faults and 20 operations`, async () => {
    const { smallest } = await shrunk(name, 60_000);
    assert.ok(smallest.case.plan.length <= 5, `${smallest.case.plan.length} faults`);
    assert.ok(smallest.case.operations.length <= 20, `${smallest.case.operations.length} operations`);
  });
}

test("without time, what is kept is the run as it was found, seen to fail as a case", async () => {
  const { runs, smallest } = await shrunk("reply-before-durable", 0);
  assert.equal(runs, 1);
  assert.ok(smallest.case.operations.length > 0);
});

test("a case that is damaged is refused in a sentence", () => {
  const one = { seed: 1, timing: 0, fairWeather: true, durationMs: 5, plan: [], operations: [] };
  assert.deepEqual(decodeCase(encodeCase(one), "the case"), one);
  assert.throws(() => decodeCase(encodeCase(one).slice(0, 20), "the case"), /copy the whole word/);
  const wrong = { ...one, plan: [{ kind: "flood", at: 0, lastsMs: 0, nodes: [] }] };
  assert.throws(() => decodeCase(JSON.stringify(wrong), "a.json"), /a\.json is not a case .*no fault "flood"/);
  assert.throws(() => decodeCase('{"seed":1}', "a.json"), /a\.json is not a case/);
});

const seats = (isFull: string): string => `
import { command, defineInterface, defineSystem, implement } from "synod";
import { defineScenario } from "synod/simulation";
import { z } from "zod";

const Seats = defineInterface("seats", {
  key: z.enum(["a", "b"]),
  operations: { book: command({ input: z.int().min(1).max(4), output: z.int(), errors: { full: z.null() } }) },
});
const seats = implement(Seats, {
  state: { version: 1, initial: () => ({ free: 10 }) },
  operations: {
    book: (ctx, wanted) => {
      if (${isFull}) throw ctx.fail("full", null);
      ctx.state.free -= wanted;
      return ctx.state.free;
    },
  },
});
export default defineScenario({
  system: defineSystem({ name: "flights", services: [seats] }),
  nodes: 3,
  duration: "3s",
  invariants: [
    { name: "no overbooking", holds: (state) => [...state.all(Seats).values()].every((one: any) => one.free >= 0) },
  ],
});
`;

async function node(folder: string, ...words: string[]): Promise<{ code: number | null; output: string }> {
  // A test runner that is started by a test would do nothing.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const child = spawn(process.execPath, ["--conditions=synod-source", ...words], { cwd: folder, env });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { code, output };
}

test("a defect of the user's own is shrunk, replayed by the printed line, and kept as a test that fails until it is mended", async () => {
  using flights = project(seats("ctx.state.free < 1"));
  const synod = join(root, "bin/synod.js");
  const found = await node(flights.path, synod, "sim", "system.ts", "--seeds", "3", "--save", "overbooked.test.ts");
  assert.equal(found.code, 1, found.output);
  assert.match(found.output, /no overbooking[\s\S]*what is left of .*: 0 faults and [1-9] operations/);
  assert.match(found.output, /saved overbooked\.test\.ts/);
  const [, only] = /--only '(~[\w-]+)'/.exec(found.output)!;
  const again = await node(flights.path, synod, "sim", "system.ts", "--only", only!);
  assert.equal(again.code, 1, again.output);
  assert.match(again.output, /no overbooking/);

  const failing = await node(flights.path, "--test", "overbooked.test.ts");
  assert.equal(failing.code, 1, failing.output);
  assert.match(failing.output, /no overbooking/);
  await writeFile(flights.file, seats("ctx.state.free < wanted"));
  const mended = await node(flights.path, "--test", "overbooked.test.ts");
  const saved = await readFile(join(flights.path, "overbooked.test.ts"), "utf8");
  assert.equal(mended.code, 0, `${mended.output}\n${saved}`);
});

const failsByItsWorkload = `
import { command, defineInterface, defineSystem, implement } from "synod";
import { defineScenario } from "synod/simulation";
import { z } from "zod";

const Bell = defineInterface("bell", { key: z.string(), operations: { ring: command({ output: z.null() }) } });
const bell = implement(Bell, { state: { version: 1, initial: () => ({}) }, operations: { ring: () => null } });
let asked = 0;
export default defineScenario({
  system: defineSystem({ name: "bells", services: [bell] }),
  duration: "3s",
  workload: () => {
    if (++asked === 5) throw new Error("out of ideas");
    return { service: "bell", key: "a", operation: "ring" };
  },
});
`;

test("a failure of the workload itself is no case: no line replays one, and none is saved", async () => {
  using bells = project(failsByItsWorkload);
  const synod = join(root, "bin/synod.js");
  for (const words of [
    ["--seeds", "1"],
    ["--seed", "1"],
    ["--seeds", "1", "--shrink", "0"],
  ]) {
    const found = await node(bells.path, synod, "sim", "system.ts", ...words, "--save", "idle.test.ts");
    assert.equal(found.code, 1, found.output);
    assert.match(found.output, /out of ideas[\s\S]*replay it: synod sim system\.ts --seed 1[\s\S]*by its seed/);
    assert.doesNotMatch(found.output, /--only|what is left/);
    assert.match(found.output, /nothing to save/);
    assert.equal(existsSync(join(bells.path, "idle.test.ts")), false);
  }
});
