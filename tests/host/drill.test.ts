/** `synod drill` as a command: on a system that it starts, on one that runs and allows it, and on one that does not. */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readAdminFile } from "../../src/admin/admin-file.ts";
import { adminClient } from "../../src/admin/client.ts";
import type { DrillReport } from "../../src/drill/report.ts";
import { readHistoryFile } from "../../src/simulation/history-file.ts";
import { createDatabase } from "../postgres/databases.ts";
import { counter, project } from "./project.ts";
import { bank, post, reportOf, startUp, synod, temporaryFolder } from "./running-system.ts";

const waitMs = 90_000;

test("a drill kills, pauses, cuts and slows down, and everything that was acknowledged is read back once", async () => {
  using folder = temporaryFolder();
  const faults = ["--faults", "kill,cut,slow-store,pause", "--minutes", "0.2", "--every", "3s", "--lasts", "2500ms"];
  const words = ["drill", bank, ...faults, "--nodes", "2", "--rate", "40", "--html", "drill.html", "--pictures", "."];
  const { code, stdout, stderr } = await synod(folder.path, [...words, "--timeout", "30s", "--json"], waitMs);
  assert.equal(code, 0, stderr);
  const report = JSON.parse(stdout) as DrillReport;
  const { requests, ledger, repeats, order } = report;
  assert.ok(report.faults.length >= 2, `${report.faults.length} faults, ${report.skipped} left out`);
  assert.ok(requests.good + requests.bad > 200 && requests.good / (requests.good + requests.bad) > 0.9, stdout);
  assert.ok(ledger.acknowledged > 50 && repeats.repeated > 20);
  assert.deepEqual([ledger.duplicates.count, ledger.lost.count, ledger.unasked.count, order], [0, 0, 0, []]);
  assert.ok(ledger.found >= ledger.acknowledged && ledger.unread === 0);
  assert.deepEqual([repeats.lost.count, repeats.replayed], [0, repeats.repeated - repeats.unanswered.count]);
  const events = readHistoryFile(join(folder.path, report.history));
  assert.equal(events.filter(({ process }) => process === "fault").length, report.faults.length);
  assert.ok(existsSync(join(folder.path, "drill.html")) && existsSync(join(folder.path, "drill-waits.svg")));
  // Nothing but the history is left.
  assert.deepEqual(readdirSync(join(folder.path, ".synod")), [report.history.replace(".synod/", "")]);
});

test("a system that was not started with drills allowed refuses them, and none of its nodes is touched", async () => {
  using folder = project(counter);
  await using up = await startUp(folder.path, [folder.file, "--nodes", "1"]);
  const { code, stderr } = await synod(folder.path, ["drill", up.ready.http, "--minutes", "1"]);
  assert.equal(code, 2);
  assert.match(stderr, /Drills are not allowed on system counters: start it with `synod up --drills`/);
  const file = await readAdminFile(`${folder.path}/.synod/counters.admin.json`);
  await assert.rejects(
    adminClient(file!).strike({ kind: "kill", node: "node-1", lastsMs: 0 }),
    /drills are not allowed/,
  );
  const { nodes } = await reportOf(folder.path, "counters");
  assert.deepEqual([nodes[0]!.state, nodes[0]!.restarts], ["ready", 0]);
});

test("a drill of a running system, on PostgreSQL, strikes that one, leaves its data alone when it is told to, and forgets its ledger", async () => {
  using folder = project(counter);
  await using database = await createDatabase();
  const store = ["--store", database.url];
  await using up = await startUp(folder.path, [folder.file, "--nodes", "2", "--drills", ...store]);
  const words = ["drill", up.ready.http, "--faults", "kill", "--minutes", "0.05", "--every", "2s", "--rate", "30"];
  const { code, stdout, stderr } = await synod(folder.path, [...words, "--ledger-only", "--json"], waitMs);
  assert.equal(code, 0, stderr);
  const report = JSON.parse(stdout) as DrillReport;
  assert.deepEqual(report.operations, ["append", "read"]);
  assert.equal(report.repeats.repeated, 0);
  const { nodes } = await reportOf(folder.path, database.schema);
  const withoutSchema = new URL(database.url);
  withoutSchema.searchParams.delete("schema");
  const found = await synod(folder.path, ["status", "--store", withoutSchema.href]);
  assert.deepEqual(
    [found.code, /^system +counters$/m.test(found.stdout)],
    [0, true],
    "a server tells no system's name",
  );
  assert.ok(nodes.reduce((sum, { restarts }) => sum + restarts, 0) >= 1);
  const events = readHistoryFile(join(folder.path, report.history));
  const pages = new Set(
    events.flatMap((event) => (event.f === "append" && event.process !== "fault" ? event.key! : [])),
  );
  assert.ok(pages.size > 5);
  for (const page of pages) {
    const path = `/synod-drill/${encodeURIComponent(page)}/read`;
    assert.deepEqual((await post(up.ready.http, path)).body, []);
  }
});

test("drill says what is wrong with how it was called", async () => {
  using folder = temporaryFolder();
  const refusals: [words: string[], sentence: RegExp][] = [
    [[bank, "--faults", "kill,flood"], /"flood" is no fault: give some of kill,pause,cut,slow-store/],
    [["http://127.0.0.1:1", "--nodes", "2"], /give its file instead of a URL/],
    [[bank, "--every", "10ms"], /at least 1000 ms between faults/],
    [[bank, "--every", "2s", "--lasts", "3s"], /no longer than it takes until the next one/],
  ];
  for (const [words, sentence] of refusals) {
    const { code, stderr } = await synod(folder.path, ["drill", ...words]);
    assert.equal(code, 2);
    assert.match(stderr, sentence);
  }
  assert.equal((await synod(folder.path, ["drill", "http://127.0.0.1:1"])).code, 3);
});
