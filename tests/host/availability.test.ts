/** The availability of a running system, measured from outside, kept over a restart of everything, with a node killed on the way. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readAdminFile } from "../../src/admin/admin-file.ts";
import { adminClient } from "../../src/admin/client.ts";
import type { AvailabilityReport, WindowReport } from "../../src/availability/report.ts";
import { counter, project } from "./project.ts";
import { post, RunningUp, startUp, synod, until } from "./running-system.ts";

const measured = counter.replace(
  "adapters: [http()]",
  'adapters: [http()], availability: { objective: "99.9%", services: { counter: "99%" } }',
);

function windowOf(report: AvailabilityReport, series: string): WindowReport | undefined {
  return report.series.find(({ name }) => name === series)?.windows.find(({ window }) => window === "30 d");
}

test("probes, requests and keys are counted apart, shown by the command, and outlive the supervisor", async () => {
  using folder = project(measured);
  const read = async (): Promise<AvailabilityReport> => {
    const file = await readAdminFile(`${folder.path}/.synod/counters.admin.json`);
    return await adminClient(file!).availability();
  };
  {
    await using up = await startUp(folder.path, [folder.file, "--nodes", "2"]);
    for (let call = 0; call < 5; call++) assert.equal((await post(up.ready.http, "/counter/a/add", 1)).status, 200);
    const refused = await post(up.ready.http, "/synod-availability/series%2Fprobes/keep", { tiers: [], outages: [] });
    assert.equal(refused.body?.code, "notTheMeter");
    const report = await until(
      "all three are counted",
      async () => {
        const found = await read();
        const [probed, requests, keys] = ["probes", "requests/counter", "keys"].map((series) =>
          windowOf(found, series),
        );
        return (probed?.good ?? 0) + (probed?.bad ?? 0) >= 2 && requests?.good === 5 && (keys?.good ?? 0) > 0 && found;
      },
      30_000,
    );
    assert.ok(windowOf(report, "probes")!.coverage! < 0.01);
    const { code, stdout } = await synod(folder.path, ["availability"]);
    assert.equal(code, 0);
    assert.match(stdout, /probes \(objective 99\.9 %\)[\s\S]*requests\/counter \(objective 99 %\)/);
  }
  await using _again = await startUp(folder.path, [folder.file, "--nodes", "1"]);
  await until(
    "what was counted before is there again",
    async () => {
      return (windowOf(await read(), "requests/counter")?.good ?? 0) === 5;
    },
    30_000,
  );
});

test("a system that promises no availability is told how to", async () => {
  using folder = project(counter);
  await using _up = await startUp(folder.path, [folder.file, "--nodes", "1"]);
  const { code, stderr } = await synod(folder.path, ["availability"]);
  assert.equal(code, 1);
  assert.match(stderr, /promises no availability: add availability: \{ objective/);
});

test("an objective that is none is refused where it is written", async () => {
  using folder = project(measured.replace('"99.9%"', '"five nines"'));
  await using up = new RunningUp(folder.path, [folder.file]);
  const { code, stderr } = await up.ended;
  assert.notEqual(code, 0);
  assert.match(stderr, /"five nines", and must be a percentage above 0 and below 100/);
});
