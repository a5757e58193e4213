/** The report in words and pictures: what stands there follows from the figures. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { disturbance } from "./finder.ts";
import { pageOf, picturesOf } from "./page.ts";
import { bottleneckOf, othersCores } from "./readings.ts";
import type { CapacityReport, LoadPoint } from "./report.ts";
import { beyondWords, headlineOf, sentencesOf } from "./words.ts";

function point(offered: number, goodput: number, counts = true): LoadPoint {
  return {
    offeredPerSecond: offered,
    goodputPerSecond: goodput,
    throughputPerSecond: offered,
    shedPerSecond: offered - goodput,
    declaredPerSecond: 0,
    failures: {},
    p50Ms: 2,
    p90Ms: 4,
    p99Ms: 20,
    p999Ms: 40,
    samples: 5_000,
    loadLagMs: counts ? 0.4 : 3,
    counts,
  };
}

const plateau = [point(500, 500), point(1_000, 1_000), point(2_000, 960), point(3_000, 940)];
const collapse = [point(500, 500), point(1_000, 1_000), point(2_000, 300), point(3_000, 50)];

const report: CapacityReport = {
  system: "bank <&>",
  at: "2026-01-01T00:00:00.000Z",
  machine: {
    processor: "Z80",
    cores: 2,
    memoryBytes: 65_536,
    node: "v24",
    system: "linux",
    loadAverage: 0.1,
    shared: true,
  },
  nodes: 3,
  objective: { name: "p99", quantile: 0.99, limitMs: 50 },
  timeoutMs: 1_000,
  loadProcesses: 2,
  operations: ["account.deposit"],
  unasked: ["account.close: 60 tries were refused"],
  runs: [1_000],
  capacity: {
    perSecond: 1_000,
    boundary: { perSecond: 1_040, from: 1_010, to: 1_080 },
    above: 1_050,
    limit: "system",
    confirmed: point(1_000, 1_000),
  },
  trials: [{ phase: "ramp", verdict: "failed", reasons: ["p99 was 60 ms"], ...point(2_000, 960) }],
  curve: plateau,
  withoutShedding: collapse,
  scale: {
    points: [1, 2, 3].map((nodes) => ({ nodes, perSecond: 500 * nodes })),
    fit: { g: 500, contention: 0, coherency: 0, peakNodes: undefined },
  },
  bottleneck: { name: "CPU", words: "CPU: all of it." },
  loadCores: 0.4,
};

test("a curve that stays near its peak plateaus, one that falls degrades", () => {
  assert.match(beyondWords(plateau, ""), /^Beyond its capacity it plateaus: .*94 % of that, at 3,000 offered/);
  assert.match(beyondWords(collapse, ""), /^Beyond its capacity it degrades: .*5\.0 % of that/);
});

test("points whose load was late do not decide between plateau and degradation", () => {
  assert.match(beyondWords([...plateau, point(4_000, 10, false)], ""), /plateaus/);
});

test("the sentences say the bound, the bottleneck, that the machine is shared and what was not asked for", () => {
  assert.equal(headlineOf(report), "Capacity: 1,000 calls/s with p99 within 50 ms.");
  const text = sentencesOf(report).join("\n");
  assert.match(text, /At 1,050 calls\/s the objective p99 was missed/);
  assert.match(
    text,
    /Half of the trials are carried at 1,040 calls\/s \(with 95 % confidence between 1,010 and 1,080\)/,
  );
  assert.match(text, /fewer than 10000: the p99 may be off/);
  assert.match(text, /What holds it back: CPU/);
  assert.match(text, /share this machine's 2 processors, of which the load took 0\.4/);
  assert.match(text, /Without load control: beyond its capacity it degrades/);
  assert.match(text, /Nothing to speak of is shared by all nodes/);
  assert.match(text, /Not asked for: account\.close/);
});

test("several searches are told with how far they lie apart, and none of them is kept quiet", () => {
  const words = (runs: readonly number[]): string => sentencesOf({ ...report, runs })[0]!;
  assert.match(
    words([1_000, 950, 1_020]),
    /median of 3 searches: 1,000, 950, 1,020 calls\/s; they lie 7\.0 % of it apart/,
  );
  assert.match(sentencesOf({ ...report, runs: [1_000] })[0]!, /highest load that was confirmed/);
});

test("a system that has processors of its own is said to, and is held back by them when they are used up", () => {
  const words = sentencesOf({ ...report, machine: { ...report.machine, systemCores: 1 } }).join("\n");
  assert.match(words, /had 1 of this machine's 2 processors, and the load 1 of its own \(the load took 0\.4\)/);
  const node = { node: "a", cores: 0.96, eventLoopUtilization: 0.4, networkBytesPerSecond: 0 };
  const waits = { queueWaitMs: 1, handlerMs: 1, commitWaitMs: 20, linkQueueWaitMs: 0 };
  const consumption = {
    machineCores: 1.2,
    machineCoresMax: 2,
    ownCores: 0,
    nodesChanged: false,
    nodes: [node],
    ...waits,
  };
  assert.equal(bottleneckOf(consumption, 0.2, 1).name, "CPU");
  assert.equal(bottleneckOf({ ...consumption, machineCores: 0.9 }, 0.2, 1).name, "store commit");
  assert.equal(bottleneckOf(consumption, 0.2, undefined).name, "store commit");
});

test("more nodes than processors for them are said to measure the machine, and no others are", () => {
  const words = (nodes: number, systemCores?: number): string =>
    sentencesOf({ ...report, nodes, machine: { ...report.machine, ...(systemCores && { systemCores }) } }).join("\n");
  assert.match(words(3, 1), /3 nodes take turns on one processor: what is found is how the machine shares it out/);
  assert.match(words(3), /3 nodes take turns on one processor/);
  assert.doesNotMatch(words(1, 1), /take turns/);
});

test("where several nodes carry less than one, no part of the work over a whole is named", () => {
  const points = [
    { nodes: 1, perSecond: 4_913 },
    { nodes: 2, perSecond: 2_167 },
  ];
  const fit = { g: 4_913, contention: 1.27, coherency: 0, peakNodes: undefined };
  const words = sentencesOf({ ...report, scale: { points, fit } }).join("\n");
  assert.match(words, /Several nodes carry less than one/);
  assert.doesNotMatch(words, /127 %/);
});

test("what other programs had is what neither the system nor the load nor the search took, and is thrown away aloud", () => {
  const node = { node: "a", cores: 0.5, eventLoopUtilization: 0.4, networkBytesPerSecond: 0 };
  const waits = { queueWaitMs: 1, handlerMs: 1, commitWaitMs: 1, linkQueueWaitMs: 0 };
  const consumption = {
    machineCores: 1.5,
    machineCoresMax: 2,
    ownCores: 0.1,
    nodesChanged: false,
    nodes: [node],
    ...waits,
  };
  assert.ok(Math.abs(othersCores(consumption, 0.3, true)! - 0.6) < 1e-9);
  assert.equal(othersCores(consumption, 0.3, false), undefined);
  assert.equal(othersCores({ ...consumption, nodes: [] }, 0.3, true), undefined);
  const trials = [{ ...report.trials[0]!, verdict: "discarded" as const }];
  assert.match(sentencesOf({ ...report, trials }).join("\n"), /One trial was thrown away, because other programs had/);
});

test("a report whose load could not keep time says so instead of blaming the system", () => {
  const words = sentencesOf({ ...report, capacity: { ...report.capacity, limit: "load" } }).join("\n");
  assert.match(words, /the load could not keep its own time, so the system may carry more/);
});

test("the page holds every picture, loads nothing and runs nothing", () => {
  const page = pageOf(report);
  assert.deepEqual(Object.keys(picturesOf(report)), ["goodput", "response-times", "nodes"]);
  assert.equal(page.match(/<svg /g)?.length, 3);
  assert.equal(page.match(/<title>/g)?.length, 4);
  assert.match(page, /Content-Security-Policy" content="default-src 'none'/);
  assert.doesNotMatch(page, /<script|<link|<img|src=|NaN|undefined|bank <&>/);
});

test("other programs disturb a trial when they have a tenth of the machine, whatever part of it this process keeps to", () => {
  const machine = { machineCoresMax: 2 };
  assert.equal(disturbance(machine, 0.15), undefined);
  assert.equal(disturbance(machine, undefined), undefined);
  assert.equal(disturbance(machine, 0.25)?.kind, "discarded");
  assert.equal(disturbance({ machineCoresMax: 4 }, 0.25), undefined);
});
