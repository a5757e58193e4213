/** `synod capacity` as a command, on a system that it starts itself, and on one that runs already. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { loadProcessesDefault } from "../../src/capacity/load/load.ts";
import { leftToSystem } from "../../src/capacity/processors.ts";
import type { CapacityReport } from "../../src/capacity/report.ts";
import { bank, root, startUp, synod, temporaryFolder } from "./running-system.ts";

/** Short trials: the figures are not to be quoted, but what is made of them is the same. */
const quick = ["--trial", "300ms", "--from", "50", "--at-most", "100", "--keys", "50", "--json"];
const waitMs = 120_000;

test("capacity starts the system, finds what it carries, writes the page and leaves nothing behind", async () => {
  using folder = temporaryFolder();
  const words = [
    "capacity",
    bank,
    "--slo",
    "p99=2s",
    "--nodes",
    "1",
    "--no-curve",
    "--runs",
    "2",
    "--html",
    "capacity.html",
    ...quick,
  ];
  const { code, stdout, stderr } = await synod(folder.path, words, waitMs);
  assert.equal(code, 0, stderr);
  const report = JSON.parse(stdout) as CapacityReport;
  assert.equal(report.system, "bank");
  assert.equal(report.nodes, 1);
  assert.deepEqual(report.unasked, []);
  assert.ok(report.operations.includes("account.deposit") && report.operations.includes("rates.quote"));
  const confirmed = report.trials.filter(({ phase, verdict }) => phase === "confirmation" && verdict === "passed");
  assert.ok(report.capacity.perSecond === 0 || confirmed.length >= 2);
  for (const { verdict, loadLagMs, othersCores = 0 } of report.trials) {
    if (loadLagMs > 1) assert.equal(verdict, "discarded");
    else if (verdict === "discarded") assert.ok(othersCores > 0.1);
  }
  assert.equal(report.runs.length, 2);
  assert.equal(report.capacity.perSecond, Math.min(...report.runs));
  assert.equal(stderr.match(/Measuring the system with 1 node\n/g)?.length, 2);
  assert.match(readFileSync(join(folder.path, "capacity.html"), "utf8"), /<h1>Capacity of bank<\/h1>/);
  assert.deepEqual(readdirSync(join(folder.path, ".synod")), []);
});

test("capacity by nodes, with a scenario's workload, and beside the system without load control", async () => {
  using folder = temporaryFolder();
  const scenario = join(root, "examples/bank/transfer.scenario.ts");
  const words = ["capacity", bank, "--slo", "p99=2s", "--nodes", "1..2", "--compare", "--scenario", scenario];
  const { code, stdout, stderr } = await synod(folder.path, [...words, "--pictures", "pictures", ...quick], waitMs);
  assert.equal(code, 0, stderr);
  const report = JSON.parse(stdout) as CapacityReport;
  assert.deepEqual(report.operations, ["account.balance", "account.close", "transfer.start", "transfer.status"]);
  assert.deepEqual(
    report.scale?.points.map(({ nodes }) => nodes),
    [1, 2],
  );
  assert.equal(report.scale?.points.at(-1)?.perSecond, report.capacity.perSecond);
  assert.match(readFileSync(join(folder.path, "pictures/capacity-nodes.svg"), "utf8"), /capacity by nodes<\/title>/);
  // A crowded machine may carry nothing that can be relied on; then there is nothing to offer multiples of.
  const points = report.curve.length;
  assert.equal(points > 0, report.capacity.perSecond > 0);
  assert.equal(report.withoutShedding?.length ?? 0, points);
  assert.match(stderr, /Measuring the system with 1 node\n/);
  const crowded = leftToSystem(undefined, loadProcessesDefault) < 2;
  assert.equal(/2 nodes take turns on one processor/.test(stderr), crowded);
});

test("capacity of a URL measures the system that runs there, with its meters", async () => {
  using folder = temporaryFolder();
  await using up = await startUp(folder.path, [bank, "--nodes", "1"]);
  const { code, stdout, stderr } = await synod(
    folder.path,
    ["capacity", up.ready.http, "--slo", "p99=2s", "--no-curve", ...quick],
    waitMs,
  );
  assert.equal(code, 0, stderr);
  const report = JSON.parse(stdout) as CapacityReport;
  assert.equal(report.nodes, 1);
  assert.doesNotMatch(report.bottleneck.words, /could not be read/);
  assert.match(stderr, /ramp: 50 calls\/s offered/);
});

test("capacity says what is wrong with how it was called", async () => {
  using folder = temporaryFolder();
  const objective = await synod(folder.path, ["capacity", bank, "--slo", "fast"]);
  assert.match(objective.stderr, /'--slo <objective>' argument 'fast' is invalid\. .*such as p99=50ms/);
  const missing = await synod(folder.path, ["capacity", "http://127.0.0.1:1", "--slo", "p99=50ms"]);
  assert.match(missing.stderr, /gives no description of a system's API/);
  assert.deepEqual([objective.code, missing.code], [2, 1]);
  const both = await synod(folder.path, ["capacity", "http://127.0.0.1:1", "--slo", "p99=50ms", "--compare"]);
  assert.equal(both.code, 2);
});
