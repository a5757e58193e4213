/** The meter's decisions, without a network and without a clock: what would make nines look better than they are is caught here. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Alerts } from "./alerts.ts";
import { availabilityOf, budgetLeft, lowerBoundOf, ninesOf } from "./nines.ts";
import { pageOf, picturesOf } from "./page.ts";
import type { Ask } from "./probe-connection.ts";
import { probe } from "./prober.ts";
import { probes, reportOf } from "./report.ts";
import { RollUps } from "./rollups.ts";
import { Slices } from "./slices.ts";
import { sentencesOf } from "./words.ts";

const hourMs = 3_600_000;
const start = 480_000 * hourMs;
const whole = { nodes: 3, serving: 3 };

test("a slice that nobody probed is unknown: it is neither up nor down, and shows as missing coverage", () => {
  const slices = new Slices();
  const rollUps = new RollUps();
  const first = start / 1_000;
  // Half of an hour was probed, and every probe of it was answered.
  for (let slice = first; slice < first + 3_600; slice += 2) slices.seen({ slice, failure: undefined }, whole);
  for (const { slice, up } of slices.settled(start + hourMs + 10_000)) {
    rollUps.add(probes, slice * 1_000, up ? { good: 1, bad: 0 } : { good: 0, bad: 1 });
  }
  const now = start + hourMs;
  const report = reportOf({ system: "s", now, rollUps, outages: [], firing: [], objectiveOf: () => 0.999 });
  const hour = report.series[0]!.windows.find(({ window }) => window === "1 h")!;
  assert.deepEqual([hour.good, hour.bad, hour.coverage, hour.availability], [1_800, 0, 0.5, 1]);
});

test("one failed probe makes its slice down, whatever the other prober saw", () => {
  const slices = new Slices();
  slices.seen({ slice: 10, failure: "late" }, whole);
  slices.seen({ slice: 10, failure: undefined }, whole);
  slices.seen({ slice: 11, failure: undefined }, whole);
  slices.seen({ slice: 11, failure: "cut" }, { nodes: 3, serving: 2 });
  const settled = slices.settled(20_000);
  assert.deepEqual(
    settled.map(({ slice, up }) => [slice, up]),
    [
      [10, false],
      [11, false],
    ],
  );
});

test("slices that were down one after the other are one outage, with the cause of its beginning", () => {
  const slices = new Slices();
  slices.seen({ slice: 10, failure: "cut" }, { nodes: 3, serving: 2 });
  slices.seen({ slice: 11, failure: "late" }, whole);
  slices.seen({ slice: 13, failure: "resource_exhausted" }, whole);
  slices.settled(60_000);
  const told = slices.outages.map(({ from, to, cause }) => [from, to, cause]);
  assert.deepEqual(told, [
    [10_000, 12_000, "failover"],
    [13_000, 14_000, "overload"],
  ]);
});

test("nines are claimed only as far as the observations go", () => {
  assert.equal(ninesOf(1), Number.POSITIVE_INFINITY);
  assert.ok(ninesOf(lowerBoundOf({ good: 100, bad: 0 })) < 2);
  assert.ok(ninesOf(lowerBoundOf({ good: 300_000, bad: 0 })) >= 5);
  assert.ok(ninesOf(lowerBoundOf({ good: 200_000, bad: 0 })) < 5);
  assert.equal(lowerBoundOf({ good: 0, bad: 0 }), 0);
  assert.equal(availabilityOf({ good: 0, bad: 0 }), undefined);
  // Wilson's one-sided 95 % bound of 90 of 100, by hand: (0.9 + 0.01353 - 0.05119) / 1.02706.
  assert.ok(Math.abs(lowerBoundOf({ good: 90, bad: 10 }) - 0.8397) < 0.001);
});

test("the error budget is what the objective allows, less what was bad", () => {
  assert.equal(budgetLeft({ good: 1_000, bad: 0 }, 0.99), 1);
  assert.ok(Math.abs(budgetLeft({ good: 995, bad: 5 }, 0.99) - 0.5) < 1e-9);
  assert.ok(budgetLeft({ good: 900, bad: 100 }, 0.99) < 0);
});

test("an alert wants both windows, is told once, and once more when it is over", () => {
  const rollUps = new RollUps();
  const alerts = new Alerts();
  const look = (now: number) => alerts.look("probes", (ms) => rollUps.window("probes", now, ms), 0.999);
  for (let at = start; at < start + hourMs; at += 1_000) rollUps.add("probes", at, { good: 1, bad: 0 });
  assert.deepEqual(look(start + hourMs), []);
  // Two minutes of outage: 3 % of the hour, 33 times the budget of three nines.
  const down = start + hourMs;
  for (let at = down; at < down + 120_000; at += 1_000) rollUps.add("probes", at, { good: 0, bad: 1 });
  const fired = look(down + 120_000);
  assert.deepEqual([fired[0]!.kind, fired[0]!.rule.rate], ["firing", 14.4]);
  assert.deepEqual(look(down + 121_000), []);
  // Ten good minutes later the short window is clean, though the hour is not.
  for (let at = down + 121_000; at < down + 800_000; at += 1_000) rollUps.add("probes", at, { good: 1, bad: 0 });
  const over = look(down + 800_000);
  assert.ok(over.some(({ kind, rule }) => kind === "over" && rule.rate === 14.4));
});

test("roll-ups stay bounded, and come back from the store as they were", () => {
  const rollUps = new RollUps();
  for (let hour = 0; hour < 2_000; hour++) rollUps.add("keys", start + hour * hourMs, { good: 3, bad: 1 });
  const tiers = rollUps.tiersOf("keys");
  assert.ok(tiers.every((buckets) => buckets.length <= 721));
  assert.ok(JSON.stringify(tiers).length < 100_000);
  const other = new RollUps();
  const now = start + 2_000 * hourMs;
  other.add("keys", now, { good: 1, bad: 0 });
  other.restore("keys", JSON.parse(JSON.stringify(tiers)));
  const month = 30 * 24 * hourMs;
  assert.deepEqual(other.window("keys", now, month), { good: 720 * 3 + 1, bad: 720 });
});

const beats =
  (write: string, read: string): Ask =>
  async (path) => ({
    status: 200,
    body: path.endsWith("/beat") ? write : read,
  });

test("a probe that reads less than it has written has failed", async () => {
  assert.equal(await probe(beats("7", "7"), "canary-1"), undefined);
  assert.equal(await probe(beats("7", "6"), "canary-1"), "stale read");
});

test("a probe repeats under one key within its second, and says what it was told at last", async () => {
  const keys = new Set<string | undefined>();
  let asked = 0;
  const second: Ask = async (path, key) => {
    if (path.endsWith("/beats")) return { status: 200, body: "1" };
    keys.add(key);
    return ++asked < 3 ? { status: 503, body: '{"code":"unavailable"}' } : { status: 200, body: "1" };
  };
  assert.equal(await probe(second, "canary-1"), undefined);
  assert.equal(keys.size, 1);
  assert.equal(
    await probe(async () => ({ status: 429, body: '{"code":"resource_exhausted"}' }), "c"),
    "resource_exhausted",
  );
});

test("the page shows the scale of nines and the outages with their causes", () => {
  const rollUps = new RollUps();
  rollUps.add(probes, start, { good: 998, bad: 2 });
  const outages = [{ from: start - 5_000, to: start - 3_000, cause: "failover", failure: "late" }] as const;
  const report = reportOf({ system: "bank", now: start, rollUps, outages, firing: [], objectiveOf: () => 0.999 });
  assert.deepEqual(Object.keys(picturesOf(report)), ["nines", "downtime"]);
  assert.match(pageOf(report), /2 s, failover \(late\)/);
  // Probed for a minute: of the 680 of the time line two seconds are 22.7.
  assert.match(picturesOf(report).downtime!, /width="22\.7"/);
  assert.doesNotMatch(pageOf(report), /<script|NaN|undefined/);
  assert.match(sentencesOf(report)[0]!, /down for 2 s .*: 99\.8 %/);
});
