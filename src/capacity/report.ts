/**
 * What the finder found, as `--json` prints it and the page draws it. Rates are per second, times in ms.
 */
import { quantileMs } from "../values/histogram.ts";
import type { Found, TrialRecord } from "./finder.ts";
import type { Objective } from "./objective.ts";
import { bottleneckOf, type NamedBottleneck } from "./readings.ts";
import type { ScalabilityFit, ScalePoint } from "./scalability.ts";
import type { SearchResult } from "./search.ts";
import { goodputOf, lagMaxMs, samplesOf, shedOf } from "./trial.ts";

/** One load that was offered. */
export interface LoadPoint {
  readonly offeredPerSecond: number;
  /** Answered well within the caller's time. */
  readonly goodputPerSecond: number;
  /** Answered at all: well, or with a refusal or another failure that came in time. */
  readonly throughputPerSecond: number;
  readonly shedPerSecond: number;
  readonly declaredPerSecond: number;
  /** What else came of calls, by code. */
  readonly failures: Readonly<Record<string, number>>;
  readonly p50Ms: number | undefined;
  readonly p90Ms: number | undefined;
  readonly p99Ms: number | undefined;
  readonly p999Ms: number | undefined;
  /** How many response times the percentiles stand on. */
  readonly samples: number;
  /** How late the load was itself, p99. */
  readonly loadLagMs: number;
  /** Processors that other programs of the machine had; absent where that cannot be told. */
  readonly othersCores?: number;
  /** False when the load was so late, or others had so much of the machine, that the trial says nothing. */
  readonly counts: boolean;
}

export interface TrialReport extends LoadPoint {
  readonly phase: TrialRecord["phase"];
  readonly verdict: "passed" | "failed" | "discarded";
  readonly reasons: readonly string[];
}

export interface MachineReport {
  readonly processor: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly node: string;
  readonly system: string;
  /** Of the minute before the finder began. */
  readonly loadAverage: number;
  /** Whether the system that was measured runs on the machine that the load came from. */
  readonly shared: boolean;
  /** Processors that the system kept to, where the load had others; absent where both used all of them. */
  readonly systemCores?: number;
}

export interface CapacityReport {
  readonly system: string;
  readonly at: string;
  readonly machine: MachineReport;
  readonly nodes: number | undefined;
  readonly objective: Objective;
  readonly timeoutMs: number;
  readonly loadProcesses: number;
  readonly operations: readonly string[];
  readonly unasked: readonly string[];
  /** What each search found, calls/s, in the order in which they were made. All that follows is of the one with the median. */
  readonly runs: readonly number[];
  /** The highest load that passed its confirmation: a lower bound. */
  readonly capacity: SearchResult & { readonly confirmed: LoadPoint | undefined };
  readonly trials: readonly TrialReport[];
  readonly curve: readonly LoadPoint[];
  /** The same loads with load control off. */
  readonly withoutShedding: readonly LoadPoint[] | undefined;
  readonly scale: { readonly points: readonly ScalePoint[]; readonly fit: ScalabilityFit | undefined } | undefined;
  readonly bottleneck: NamedBottleneck;
  readonly loadCores: number;
}

export function pointOf({ figures, verdict, othersCores }: TrialRecord): LoadPoint {
  const { response, seconds, failures, lag } = figures;
  const unanswered = (failures.late ?? 0) + (failures.cut ?? 0);
  return {
    offeredPerSecond: figures.due / seconds,
    goodputPerSecond: goodputOf(figures),
    throughputPerSecond: (figures.due - unanswered) / seconds,
    shedPerSecond: shedOf(figures),
    declaredPerSecond: figures.declared / seconds,
    failures,
    p50Ms: quantileMs(response, 0.5),
    p90Ms: quantileMs(response, 0.9),
    p99Ms: quantileMs(response, 0.99),
    p999Ms: quantileMs(response, 0.999),
    samples: samplesOf(figures),
    loadLagMs: quantileMs(lag, 0.99) ?? 0,
    ...(othersCores !== undefined && { othersCores }),
    counts: verdict.kind !== "discarded",
  };
}

export function trialReportOf(record: TrialRecord): TrialReport {
  const { phase, verdict } = record;
  const reasons = verdict.kind === "failed" ? verdict.reasons : verdict.kind === "discarded" ? [verdict.reason] : [];
  return { phase, verdict: verdict.kind, reasons, ...pointOf(record) };
}

/** At the load that shows it best: the lowest one above the capacity that the system did not carry, or else the highest that it did. */
export function namedBottleneck(
  found: Found,
  curve: readonly TrialRecord[],
  processors: number | undefined,
): NamedBottleneck & { readonly loadCores: number } {
  const all = [...found.trials, ...curve].filter(({ phase }) => phase !== "warm-up");
  const failed = all.filter(
    ({ figures, verdict }) => verdict.kind === "failed" && figures.perSecond > found.result.perSecond,
  );
  const carried = all.filter(({ verdict }) => verdict.kind === "passed");
  const rate = ({ figures }: TrialRecord): number => figures.perSecond;
  const at = failed.sort((a, b) => rate(a) - rate(b))[0] ?? carried.sort((a, b) => rate(b) - rate(a))[0] ?? all[0];
  if (at === undefined) return { name: "none", words: "No trial was made.", loadCores: 0 };
  const { loadCores } = at.figures;
  return { ...bottleneckOf(at.consumption, loadCores, processors), loadCores };
}

/** Of several searches: their distance from the lowest to the highest, as a part of the median; undefined for one, or where one found nothing. */
export function spreadOf({ runs, capacity }: Pick<CapacityReport, "runs" | "capacity">): number | undefined {
  if (runs.length < 2 || capacity.perSecond === 0) return undefined;
  return (Math.max(...runs) - Math.min(...runs)) / capacity.perSecond;
}

/** Trials that were thrown away because the load was late. */
export function lateOf({ trials, curve, withoutShedding = [] }: CapacityReport): number {
  return [...trials, ...curve, ...withoutShedding].filter(({ loadLagMs }) => loadLagMs > lagMaxMs).length;
}

/** Trials that were thrown away because of other programs. */
export function disturbedOf({ trials }: CapacityReport): number {
  return trials.filter(({ verdict, loadLagMs }) => verdict === "discarded" && loadLagMs <= lagMaxMs).length;
}
