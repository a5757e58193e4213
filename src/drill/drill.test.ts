/** What a drill concludes, from figures made by hand: a lie of any kind in them is found. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { reportOf } from "../availability/report.ts";
import { RollUps } from "../availability/rollups.ts";
import type { Asked } from "../capacity/asks.ts";
import { makeTimedKey } from "../values/ids.ts";
import type { DrillCaller, Heard } from "./callers.ts";
import { readFaultOrder } from "./fault.ts";
import { LedgerBook, type LedgerVerdict } from "./ledger.ts";
import type { Acknowledged, OverCall } from "./load.ts";
import { pageOf, picturesOf } from "./page.ts";
import {
  comparison,
  comparisonsOf,
  type DrillReport,
  faultsOf,
  isBroken,
  isProven,
  ratioOf,
  requestsOf,
  secondsOf,
} from "./report.ts";
import { readLedger, repeatAll } from "./verification.ts";
import { headlineOf, sentencesOf } from "./words.ts";

/** Three acknowledged entries, one unknown and one that certainly was not appended; read back as `change` leaves them. */
function compared(change: (page: number[], entry: number) => void): LedgerVerdict {
  const book = new LedgerBook("run");
  const pages = new Map<string, number[]>();
  for (const outcome of ["ok", "ok", "ok", "info", "fail"] as const) {
    const { page, entry } = book.next();
    book.told(entry, outcome);
    const entries = outcome === "ok" ? [entry] : [];
    change(entries, entry);
    pages.set(page, entries);
  }
  return book.compare(pages);
}

test("a ledger in which every acknowledged entry stands once is right, whatever became of the unknown one", () => {
  for (const entry3 of [[], [3]]) {
    const verdict = compared((page, entry) => entry === 3 && page.push(...entry3));
    const { duplicates, lost, unasked } = verdict;
    assert.deepEqual([duplicates.count, lost.count, unasked.count], [0, 0, 0]);
    assert.deepEqual([verdict.appended, verdict.acknowledged, verdict.unknown], [5, 3, 1]);
  }
});

test("an entry that took effect twice, that was lost, or that nobody asked for is found and named", () => {
  const twice = compared((page, entry) => entry === 1 && page.push(1));
  assert.deepEqual(twice.duplicates, { count: 1, first: ["run/1: 1"] });
  const lost = compared((page, entry) => entry === 2 && page.pop());
  assert.deepEqual(lost.lost, { count: 1, first: ["run/2: 2"] });
  const refused = compared((page, entry) => entry === 4 && page.push(4));
  assert.deepEqual(refused.unasked, { count: 1, first: ["run/4: 4"] });
  const elsewhere = compared((page, entry) => entry === 0 && page.push(2));
  assert.equal(elsewhere.unasked.count, 1);
  assert.equal(elsewhere.duplicates.count, 1);
});

test("a page that cannot be read is said to be unread, and what stands in it is not called lost", () => {
  const book = new LedgerBook("run");
  book.told(book.next().entry, "ok");
  const { unread, lost } = book.compare(new Map());
  assert.deepEqual([unread, lost.count], [1, 0]);
});

/** Callers of whom each request hears what `answers` says of its key. */
function hearing(answers: Readonly<Record<string, Partial<Heard>>>): () => DrillCaller {
  const nothing: Heard = { outcome: "ok", value: [], error: undefined, attempts: 1, replayed: true };
  const ask: DrillCaller["ask"] = async ({ key }) => ({ ...nothing, ...answers[key!] });
  return () => ({ ask }) as unknown as DrillCaller;
}

const failed = (error: string): Partial<Heard> => ({ outcome: "info", value: undefined, error, replayed: false });

test("a page that is damaged has lost what was acknowledged there, and one that nobody can read proves nothing", async () => {
  const book = new LedgerBook("run");
  for (const outcome of ["ok", "ok", "info"] as const) book.told(book.next().entry, outcome);
  const heard = { "run/0": failed("data_loss"), "run/1": failed("unavailable"), "run/2": failed("data_loss") };
  const ledger = await readLedger(book, hearing(heard));
  assert.deepEqual(ledger.lost, { count: 1, first: ["run/0: 0"] });
  assert.equal(ledger.unread, 3);
});

test("a repeat that is answered with data_loss has lost its effect; one older than keys are remembered is no failure", async () => {
  const hourMs = 3_600_000;
  const asked = (key: string, ageMs: number): Acknowledged => ({
    asked: { request: { service: "account", key, operation: "deposit" } } as Asked,
    id: makeTimedKey(Date.now() - ageMs, new Uint8Array(10)),
    heard: { value: [], error: undefined },
  });
  const all = [asked("a", 0), asked("b", 0), asked("c", hourMs + 1), asked("d", 0), asked("e", hourMs + 1)];
  const heard = {
    b: failed("data_loss"),
    c: failed("failed_precondition"),
    d: failed("failed_precondition"),
    e: failed("unavailable"),
  };
  const { repeated, replayed, lost, unanswered, tooOld } = await repeatAll(all, hearing(heard));
  assert.deepEqual([repeated, replayed, tooOld], [5, 1, 1]);
  assert.deepEqual(lost.first, ["account.deposit of b: data_loss"]);
  assert.deepEqual(unanswered.first, [
    "account.deposit of d: failed_precondition",
    "account.deposit of e: unavailable",
  ]);
});

function call(due: number, ended: number, outcome: OverCall["outcome"] = "ok"): OverCall {
  return { name: "append", due, ended, outcome, error: outcome === "ok" ? undefined : "unavailable", attempts: 1 };
}

test("a fault has the longest wait of those who met it, from when it struck, and the longest silence", () => {
  const calls = [call(0, 900), call(950, 1_700), call(1_200, 1_900), call(5_000, 9_000), call(6_000, 6_100, "info")];
  const struck = [
    { at: 1_000, kind: "kill", node: "node-1", lastsMs: 0 },
    { at: 5_500, kind: "cut", node: "node-2", lastsMs: 0 },
  ] as const;
  const [kill, cut] = faultsOf(struck, calls, 10_000);
  // The call that was open when the node was killed waited for 700 ms from then on; the other one for as long.
  assert.deepEqual([kill!.longestWaitMs, kill!.silenceMs, kill!.failed], [4_000, 3_600, 0]);
  assert.deepEqual([cut!.longestWaitMs, cut!.silenceMs, cut!.failed], [3_500, 3_500, 1]);
});

test("requests that failed count as bad, by their kind, and those that took their repeats count once", () => {
  const calls = [
    call(0, 10),
    { ...call(20, 900), attempts: 3 },
    call(1_500, 1_600, "fail"),
    call(1_700, 1_800, "info"),
  ];
  const { good, bad, attempts, failures } = requestsOf(calls);
  assert.deepEqual([good, bad, attempts, failures], [2, 2, 6, { unavailable: 2 }]);
  assert.deepEqual(
    secondsOf(calls).map(({ calls: all, failed, longestWaitMs }) => [all, failed, longestWaitMs]),
    [
      [2, 0, 880],
      [2, 2, 100],
    ],
  );
});

test("drill and meter agree when what both saw can be the same availability, and not when it cannot", () => {
  assert.equal(comparison("", { good: 10_000, bad: 10 }, { good: 600, bad: 0 }).agree, true);
  assert.equal(comparison("", { good: 10_000, bad: 400 }, { good: 600, bad: 0 }).agree, false);
  assert.equal(comparison("", { good: 10_000, bad: 0 }, { good: 0, bad: 0 }).agree, undefined);
});

test("what callers cut may be bad by the meter, and no more than that", () => {
  const answers = { good: 5_987, bad: 0 };
  assert.equal(comparison("", answers, { good: 5_904, bad: 29 }, 48).agree, true);
  assert.equal(comparison("", answers, { good: 5_904, bad: 29 }).agree, false);
  assert.equal(comparison("", answers, { good: 5_804, bad: 129 }, 48).agree, false);
});

test("the drill's own seconds are judged as a prober would: a slow or failed write or read makes one down, too few calls unknown", () => {
  const second = (at: number, waitMs: number): OverCall[] =>
    ["append", "read", "append", "read"].map((name) => ({ ...call(at, at + waitMs), name }));
  const nothing = reportOf({
    system: "s",
    now: 0,
    rollUps: new RollUps(),
    outages: [],
    firing: [],
    objectiveOf: () => 0.9,
  });
  const calls = [...second(0, 10), ...second(1_000, 600), ...second(2_000, 400), call(3_000, 3_010)];
  const [, probed] = comparisonsOf({ calls, answers: { good: 0, bad: 0 } }, nothing, nothing);
  assert.deepEqual([probed!.drill!.good, probed!.drill!.bad], [2, 1]);
});

test("an order from the network is read, or refused with what it has to be", () => {
  assert.deepEqual(readFaultOrder({ kind: "kill", node: "node-1" }), { kind: "kill", node: "node-1", lastsMs: 0 });
  assert.throws(() => readFaultOrder({ kind: "flood", node: "node-1" }), /one of kill, pause, cut, slow-store/);
  assert.throws(() => readFaultOrder({ kind: "pause" }), /name it/);
  assert.throws(() => readFaultOrder({ kind: "pause", node: "node-1", lastsMs: 1e9 }), /0 to 60000 ms/);
});

const calls = [call(100, 120), call(1_100, 1_900), call(2_100, 2_200, "info")];
const report: DrillReport = {
  ...{ system: "bank <&>", at: "2026-01-01T00:00:00.000Z", nodes: 3, seed: 1, minutes: 0.05, perSecond: 1 },
  ...{ timeoutMs: 10_000, loadAverage: 0.1, operations: ["append"], unasked: [], order: [], skipped: 0 },
  requests: requestsOf(calls),
  ledger: compared(() => {}),
  repeats: { repeated: 2, replayed: 2, lost: { count: 0, first: [] }, unanswered: { count: 0, first: [] }, tooOld: 0 },
  faults: faultsOf([{ at: 1_000, kind: "kill", node: "node-1", lastsMs: 0 }], calls, 3_000),
  comparisons: [{ what: "requests", drill: ratioOf({ good: 2, bad: 1 }), meter: undefined, cut: 0, agree: undefined }],
  seconds: secondsOf(calls),
  history: "drill.jsonl",
};

test("the words and the page say what was found, and shout when a promise was broken", () => {
  assert.match(headlineOf(report), /66\.6667 % of 3 requests .* nothing was lost/);
  assert.match(pageOf(report), /<h1>Drill of bank &lt;&amp;&gt;<\/h1>/);
  assert.match(picturesOf(report).waits!, /<title>bank &lt;&amp;&gt;: the longest wait/);
  assert.doesNotMatch(pageOf(report) + sentencesOf(report).join(), /NaN|undefined|<script/);
  const broken: DrillReport = { ...report, ledger: compared((page, entry) => entry === 1 && page.push(1)) };
  assert.ok(!isBroken(report) && isBroken(broken));
  assert.match(headlineOf(broken), /PROMISES WERE BROKEN/);
  assert.match(sentencesOf(broken).join("\n"), /TWICE 1 \(run\/1: 1\)/);
  assert.ok(isBroken({ ...report, repeats: { ...report.repeats, lost: { count: 1, first: ["x"] } } }));
  assert.ok(isBroken({ ...report, order: ["a read went back"] }));
});

test("what could not be read back or asked for again is no proof that nothing was lost", () => {
  assert.ok(isProven(report));
  const unread: DrillReport = { ...report, ledger: { ...report.ledger, unread: 1 } };
  const unanswered: DrillReport = { ...report, repeats: { ...report.repeats, unanswered: { count: 1, first: ["x"] } } };
  for (const unproven of [unread, unanswered]) {
    assert.ok(!isProven(unproven) && !isBroken(unproven));
    assert.match(headlineOf(unproven), /COULD NOT BE VERIFIED/);
    assert.doesNotMatch(headlineOf(unproven), /nothing was lost/);
  }
  const tooOld: DrillReport = { ...report, repeats: { ...report.repeats, repeated: 2, replayed: 0, tooOld: 2 } };
  assert.ok(isProven(tooOld));
  assert.match(sentencesOf(tooOld).join("\n"), /2 were too old to be asked for again/);
  const broken: DrillReport = { ...unread, order: ["a read went back"] };
  assert.ok(!isProven(broken));
  assert.match(headlineOf(broken), /PROMISES WERE BROKEN/);
});
