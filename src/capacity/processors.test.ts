/** Who has which processor: the load never takes more than half, and whoever is moved stays where it was put. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { test } from "node:test";
import { divided, keepTo, leftToSystem, listed, nodesCarriedBy } from "./processors.ts";

test("each process of the load has a processor of its own, but at least half are left to the system", () => {
  assert.deepEqual(divided([0, 1], 1), { system: [0], load: [1] });
  assert.deepEqual(divided([0, 1, 2, 3, 4, 5, 6, 7], 2), { system: [0, 1, 2, 3, 4, 5], load: [6, 7] });
  assert.deepEqual(divided([0, 1, 2, 5], 4), { system: [0, 1], load: [2, 5] });
  assert.equal(divided([3], 1), undefined);
  assert.equal(divided([], 1), undefined);
});

test("a system has a node for each processor that the load leaves to it, at most three and at least one", () => {
  const nodes = (processors: readonly number[], loads: number): number =>
    nodesCarriedBy(leftToSystem(divided(processors, loads), loads));
  assert.equal(nodes([0, 1], 1), 1);
  assert.equal(nodes([0, 1, 2, 3], 2), 2);
  assert.equal(nodes([0, 1, 2, 3, 4, 5, 6, 7], 2), 3);
  assert.equal(nodesCarriedBy(leftToSystem(undefined, 1_000)), 1);
});

test("processors are read as Linux lists them", () => {
  assert.deepEqual(listed("0-2,5"), [0, 1, 2, 5]);
  assert.deepEqual(listed("7"), [7]);
  assert.deepEqual(listed(""), []);
});

const movable = process.platform === "linux" && availableParallelism() > 1;

test("a process is kept to the processors that it is given, with all its threads", { skip: !movable }, async () => {
  using child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1_000); console.log()"]);
  await once(child.stdout!, "data");
  assert.ok(keepTo([1], child.pid!));
  assert.match(readFileSync(`/proc/${child.pid}/task/${child.pid}/status`, "latin1"), /^Cpus_allowed_list:\s*1$/m);
  assert.equal(keepTo([100_000], child.pid!), false);
});
