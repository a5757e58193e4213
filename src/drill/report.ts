/**
 * What a drill found, as `--json` prints it and the page draws it. Rates are per second, times in ms; instants count from the
 * beginning of the load.
 */
import { boundsOf, lowerBoundOf, ninesOf } from "../availability/nines.ts";
import { type AvailabilityReport, probes } from "../availability/report.ts";
import type { Counts } from "../availability/rollups.ts";
import type { FaultKind } from "./fault.ts";
import type { LedgerVerdict } from "./ledger.ts";
import type { OverCall } from "./load.ts";
import type { RepeatVerdict } from "./verification.ts";

/** A fault as it was injected. */
export interface Struck {
  readonly at: number;
  readonly kind: FaultKind;
  readonly node: string | undefined;
  readonly lastsMs: number;
}

export interface FaultReport extends Struck {
  /** Of all calls that were open when it struck, or made until the next fault: the longest wait for the answer from then on. */
  readonly longestWaitMs: number;
  /** The longest time without a good answer to anybody. */
  readonly silenceMs: number;
  /** Calls that failed meanwhile. */
  readonly failed: number;
}

export interface Ratio extends Counts {
  readonly availability: number;
  /** Null for infinitely many. */
  readonly nines: number | null;
  /** With 95 % confidence at least so many. */
  readonly ninesAtLeast: number;
}

/** The same thing as the drill and as the system's own availability meter counted it. */
export interface Comparison {
  readonly what: string;
  readonly drill: Ratio | undefined;
  readonly meter: Ratio | undefined;
  /** Requests that the drill's callers cut before they were answered: a node that stood still or was slow may have counted them as bad, one that was killed has not counted them. */
  readonly cut: number;
  /** Whether both can be right: their bounds (95 % on each side) overlap. Undefined when one of them counted nothing. */
  readonly agree: boolean | undefined;
}

export interface DrillReport {
  readonly system: string;
  readonly at: string;
  readonly nodes: number;
  readonly seed: number;
  readonly minutes: number;
  readonly perSecond: number;
  readonly timeoutMs: number;
  readonly loadAverage: number;
  readonly operations: readonly string[];
  readonly unasked: readonly string[];
  readonly requests: Ratio & { readonly attempts: number; readonly failures: Readonly<Record<string, number>> };
  readonly ledger: LedgerVerdict;
  readonly repeats: RepeatVerdict;
  /** What the checker of append-only lists says of the history of the ledger; empty when it holds. */
  readonly order: readonly string[];
  readonly faults: readonly FaultReport[];
  /** Faults that were not injected, because not all nodes served, or because the system did not take them. */
  readonly skipped: number;
  readonly comparisons: readonly Comparison[];
  /** Of each second: its calls, those that failed, and the longest wait. */
  readonly seconds: readonly Second[];
  /** The file with everything that was asked and heard. */
  readonly history: string;
}

export interface Second {
  readonly calls: number;
  readonly failed: number;
  readonly longestWaitMs: number;
}

/** As many as the meter has. */
const probersMax = 2;
/** What the meter's probers allow for a write and a read of it, ms: what is later is down. */
const soonMs = 1_000;

export function ratioOf({ good, bad }: Counts): Ratio {
  const availability = good + bad === 0 ? 0 : good / (good + bad);
  const nines = ninesOf(availability);
  return {
    good,
    bad,
    availability,
    nines: Number.isFinite(nines) ? nines : null,
    ninesAtLeast: ninesOf(lowerBoundOf({ good, bad })),
  };
}

export function requestsOf(calls: readonly OverCall[]): DrillReport["requests"] {
  const failures: Record<string, number> = {};
  for (const { error } of calls) if (error !== undefined) failures[error] = (failures[error] ?? 0) + 1;
  const good = calls.filter(({ outcome }) => outcome === "ok").length;
  const attempts = calls.reduce((sum, call) => sum + call.attempts, 0);
  return { ...ratioOf({ good, bad: calls.length - good }), attempts, failures };
}

/** Each fault with what callers felt of it until the next one, or until the load ended. */
export function faultsOf(struck: readonly Struck[], calls: readonly OverCall[], endedAt: number): FaultReport[] {
  const good = calls.filter(({ outcome }) => outcome === "ok").map(({ ended }) => ended);
  good.sort((a, b) => a - b);
  return struck.map((fault, index) => {
    const until = struck[index + 1]?.at ?? endedAt;
    const met = calls.filter(({ due, ended }) => ended >= fault.at && due < until);
    return {
      ...fault,
      longestWaitMs: met.reduce((longest, { due, ended }) => Math.max(longest, ended - Math.max(due, fault.at)), 0),
      silenceMs: longestSilence(good, fault.at, until),
      failed: met.filter(({ outcome }) => outcome !== "ok").length,
    };
  });
}

function longestSilence(answers: readonly number[], from: number, until: number): number {
  let [last, longest] = [from, 0];
  for (const at of answers) {
    if (at < from) continue;
    longest = Math.max(longest, Math.min(at, until) - last);
    if (at >= until) return longest;
    last = at;
  }
  return Math.max(longest, until - last);
}

export function secondsOf(calls: readonly OverCall[]): Second[] {
  const seconds: { calls: number; failed: number; longestWaitMs: number }[] = [];
  for (const { due, ended, outcome } of calls) {
    const at = Math.floor(due / 1_000);
    while (seconds.length <= at) seconds.push({ calls: 0, failed: 0, longestWaitMs: 0 });
    const second = seconds[at]!;
    second.calls += 1;
    second.longestWaitMs = Math.max(second.longestWaitMs, ended - due);
    if (outcome !== "ok") second.failed += 1;
  }
  return seconds;
}

/** The drill's own count. */
export interface OwnCount {
  readonly calls: readonly OverCall[];
  readonly answers: Counts;
}

/**
 * The drill's callers as probers, which are two in every second, each with a write and a read of it within a second: of each
 * second the first writes to the ledger with the first reads of it. A second without them is unknown.
 */
function slicesOf(calls: readonly OverCall[]): Counts {
  let [good, bad] = [0, 0];
  for (const own of Map.groupBy(calls, ({ due }) => Math.floor(due / 1_000)).values()) {
    const [writes, reads] = ["append", "read"].map((kind) => own.filter(({ name }) => name === kind));
    const pairs = writes!.slice(0, probersMax).flatMap((write, at) => (reads![at] ? [[write, reads![at]!]] : []));
    if (pairs.length < probersMax) continue;
    if (pairs.every(isUp)) good += 1;
    else bad += 1;
  }
  return { good, bad };
}

function isUp(pair: readonly OverCall[]): boolean {
  return pair.every(({ outcome }) => outcome === "ok") && sum(pair, ({ due, ended }) => ended - due) <= soonMs;
}

/**
 * What the meter counted between two reports of it, beside the drill's own count of the same: HTTP answers as nodes gave them,
 * and seconds in which small entities could be written and read.
 */
export function comparisonsOf(
  { calls, answers }: OwnCount,
  before: AvailabilityReport,
  after: AvailabilityReport,
): readonly Comparison[] {
  const requests = after.series.filter(({ name }) => name.startsWith("requests/")).map(({ name }) => name);
  const counted = requests.map((name) => since(name, before, after));
  const cut = Math.max(0, sum(calls, ({ attempts }) => attempts) - answers.good - answers.bad);
  const meter = { good: sum(counted, ({ good }) => good), bad: sum(counted, ({ bad }) => bad) };
  return [
    comparison("HTTP answers, of which good", answers, meter, cut),
    comparison("seconds that were up, as probers see it", slicesOf(calls), since(probes, before, after)),
  ];
}

export function comparison(what: string, drill: Counts, meter: Counts, cut = 0): Comparison {
  const [seen, other] = [drill, meter].map((counts) => (counts.good + counts.bad === 0 ? undefined : ratioOf(counts)));
  const its = boundsOf(meter);
  const { upper } = boundsOf(drill);
  const { lower } = boundsOf({ good: drill.good, bad: drill.bad + cut });
  const agree = seen && other ? lower <= its.upper && its.lower <= upper : undefined;
  return { what, drill: seen, meter: other, cut, agree };
}

/** In the longest window, in which everything is that was counted since; never less than nothing. */
function since(name: string, before: AvailabilityReport, after: AvailabilityReport): Counts {
  const counts = (report: AvailabilityReport): Counts =>
    report.series.find((series) => series.name === name)?.windows.at(-1) ?? { good: 0, bad: 0 };
  const [earlier, later] = [counts(before), counts(after)];
  return { good: Math.max(0, later.good - earlier.good), bad: Math.max(0, later.bad - earlier.bad) };
}

function sum<T>(all: readonly T[], of: (one: T) => number): number {
  return all.reduce((total, one) => total + of(one), 0);
}

/** Whether everything that was acknowledged could be looked at, and was as it should be: only then nothing was lost. */
export function isProven(report: DrillReport): boolean {
  const { ledger, repeats } = report;
  return !isBroken(report) && ledger.unread === 0 && repeats.unanswered.count === 0;
}

/** Whether a promise was broken: something took effect twice, was lost, or happened that was said not to have. */
export function isBroken({ ledger, repeats, order }: DrillReport): boolean {
  const { duplicates, lost, unasked } = ledger;
  return [duplicates, lost, unasked, repeats.lost].some(({ count }) => count > 0) || order.length > 0;
}
