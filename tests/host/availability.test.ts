/** The availability of a running system, measured from outside, kept over a restart of everything, with a node killed on the way. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { test } from "node:test";
import { promisify } from "node:util";
import { readAdminFile } from "../../src/admin/admin-file.ts";
import { adminClient } from "../../src/admin/client.ts";
import type { AvailabilityReport, WindowReport } from "../../src/availability/report.ts";
import { counter, counterThat, project } from "./project.ts";
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

test("a budget that burns too fast is told in the log, by the webhook, in the metrics and by the command", async () => {
  const told: Record<string, unknown>[] = [];
  const webhook = createServer((request, response) => {
    void json(request).then((body) => {
      told.push(body as Record<string, unknown>);
      response.end();
    });
  });
  await new Promise<void>((listening) => webhook.listen(0, "127.0.0.1", listening));
  await using _closed = { [Symbol.asyncDispose]: () => promisify(webhook.close.bind(webhook))() };
  const { port } = webhook.address() as AddressInfo;
  const failing = counterThat("if (step < 0) throw new Error('no'); return (ctx.state.count += step);");
  const policy = `{ objective: "90%", services: { counter: "99%" }, webhook: "http://127.0.0.1:${port}/alert" }`;
  using folder = project(failing.replace("adapters: [http()]", `adapters: [http()], availability: ${policy}`));
  await using up = await startUp(folder.path, [folder.file, "--nodes", "1"]);
  // One bad call of two burns a budget of a hundredth fifty times too fast.
  assert.equal((await post(up.ready.http, "/counter/a/add", 1)).status, 200);
  assert.equal((await post(up.ready.http, "/counter/a/add", -1)).status, 500);
  const of = { series: "requests/counter", kind: "firing" };
  await until(
    "the webhook has all three alerts",
    () => told.filter((alert) => alert.series === of.series).length === 3,
    30_000,
  );
  const first = told.find(({ series }) => series === of.series)!;
  assert.deepEqual({ ...first, ...of, system: "counters" }, first);
  assert.ok(Math.abs((first.burnRate as number) - 50) < 0.001, `it burns ${first.burnRate} times too fast`);
  assert.match(up.stderr, /"the error budget burns too fast \(14\.4 times, over 1 h and 5 min\)"/);
  const file = await readAdminFile(`${folder.path}/.synod/counters.admin.json`);
  const scrape = await fetch(new URL("/metrics", file!.url), { headers: { authorization: `Bearer ${file!.token}` } });
  const metrics = await scrape.text();
  assert.match(metrics, /^synod_error_budget_alert\{[^}]*series="requests\/counter"[^}]*\} (?:50|49\.99\d*)$/m);
  assert.match(metrics, /^synod_availability_bad\{[^}]*series="requests\/counter"[^}]*\} 1$/m);
  const { code, stdout } = await synod(folder.path, ["availability", "--json", "--pictures", "pictures"]);
  assert.equal(code, 0);
  const { alerts, system } = JSON.parse(stdout) as AvailabilityReport;
  assert.deepEqual([system, alerts.filter(({ series }) => series === of.series).length], ["counters", 3]);
  assert.match(readFileSync(`${folder.path}/pictures/availability-nines.svg`, "utf8"), /<title>counters: nines/);
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
