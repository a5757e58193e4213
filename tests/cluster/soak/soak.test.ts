/** The soak, short; how long it takes to be sure is for `npm run test:soak`. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Finished, finished } from "../../host/running-system.ts";
import { inWords, type SoakReport } from "./report.ts";

const program = fileURLToPath(new URL("./soak.ts", import.meta.url));
const runMaxMs = 120_000;

async function soak(...words: readonly string[]): Promise<Finished> {
  const command = ["--conditions=synod-source", program, ...words];
  return await finished(spawn(process.execPath, command, { stdio: ["ignore", "pipe", "pipe"] }), runMaxMs);
}

function reportOf(t: TestContext, { stdout, stderr }: Finished): SoakReport {
  assert.notEqual(stdout, "", stderr);
  const report = JSON.parse(stdout) as SoakReport;
  t.diagnostic(inWords(report).split("\n").slice(0, 12).join("\n"));
  return report;
}

test("a short soak holds every promise, whatever of it this machine allows", async (t) => {
  const kinds = "kill -9,links cut,clients cut,one-way silence on links,packets lost one way,wall clock jumps";
  const run = await soak("--minutes", "0.2", "--json", "--faults", kinds);
  const report = reportOf(t, run);
  assert.ok(report.held, `${inWords(report)}\n${run.stderr}`);
  assert.equal(run.code, 0);
  assert.ok(report.operations > 100 && report.faults.length > 0, "there was load, and there were faults");
});

test("a soak fails when replies leave before they are durable, and says what is lost", async (t) => {
  const run = await soak("--minutes", "1", "--json", "--break", "reply-before-durable");
  const report = reportOf(t, run);
  assert.equal(run.code, 1, run.stderr);
  assert.deepEqual(report.troubles, []);
  assert.ok(report.verdicts.some(({ status, findings }) => status === "broken" && findings.length > 0));
  rmSync(report.folder, { recursive: true });
});

test("a soak that is told nonsense says what it can be told", async () => {
  const unknown = await soak("--faults", "earthquake");
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /there is no fault earthquake[\s\S]*--faults A,B +only these kinds: kill -9/);
});
