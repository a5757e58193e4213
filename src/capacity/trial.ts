/**
 * One trial: a load was offered for some seconds, and this is what became of it; and the judgement whether the system
 * carries that load. The referee, not the player: it knows no network and no clock.
 *
 * A trial is thrown away, whatever it says, when the load itself was late: what was measured then was another load
 * than the one that was asked for.
 */
import { countOf, type Histogram, quantileMs } from "../values/histogram.ts";
import type { Objective } from "./objective.ts";

/** What became of the calls that were due while a trial counted. All processes of the load together. */
export interface TrialFigures {
  /** Calls per second that were asked for. */
  readonly perSecond: number;
  /** How long it counted. */
  readonly seconds: number;
  /** Calls that were due. */
  readonly due: number;
  /** Answered within their deadline, with a value or an error that the operation declares. */
  readonly good: number;
  /** Those of the good ones that were answered with a declared error. */
  readonly declared: number;
  /** All others, by what became of them: `resource_exhausted`, `late`, `cut`, … */
  readonly failures: Readonly<Record<string, number>>;
  /** Good answers to them that had come a moment after the end, when a system that keeps up has answered. */
  readonly keptUp: number;
  /** Of the good answers: from the instant at which the call was due. */
  readonly response: Histogram;
  /** How late calls were sent that were due. */
  readonly lag: Histogram;
  /** Calls that were due and not over, at equal distances. */
  readonly open: readonly number[];
}

/** What calls that are turned away on purpose are answered with. */
const shedCode = "resource_exhausted";

/** The part of the calls that may fail. */
const errorsPartMax = 0.001;
/** The part of the offered load that has to be answered. */
const achievedPartMin = 0.99;
/** A load that is later than this (p99) is another load than the one that was asked for. */
export const lagMaxMs = 1;
/** A queue grew that has so many times more calls at the end, */
const growthTimes = 1.5;
/** which are so many, */
const growthCallsMin = 5;
/** and take this part of the time that the objective allows. */
const growthPartOfLimit = 0.25;

export type Verdict =
  /** The system carries it. */
  | { readonly kind: "passed" }
  /** It does not, and why, in words. */
  | { readonly kind: "failed"; readonly reasons: readonly string[] }
  /** Nobody knows: the load was late itself, or others had the processors. */
  | { readonly kind: "discarded"; readonly by: "load" | "others"; readonly reason: string };

export function judge(trial: TrialFigures, objective: Objective): Verdict {
  const lagMs = quantileMs(trial.lag, 0.99) ?? 0;
  if (lagMs > lagMaxMs) {
    return { kind: "discarded", by: "load", reason: `the load itself was ${lagMs.toFixed(2)} ms late (p99)` };
  }
  const reasons = [lateness(trial, objective), errors(trial), shortfall(trial), growth(trial, objective)];
  const found = reasons.filter((reason) => reason !== undefined);
  return found.length === 0 ? { kind: "passed" } : { kind: "failed", reasons: found };
}

/** Requests answered correctly within their deadline, per second. */
export function goodputOf({ good, seconds }: TrialFigures): number {
  return good / seconds;
}

/** Calls per second that were turned away on purpose. */
export function shedOf({ failures, seconds }: TrialFigures): number {
  return (failures[shedCode] ?? 0) / seconds;
}

function lateness({ response }: TrialFigures, { name, quantile, limitMs }: Objective): string | undefined {
  const found = quantileMs(response, quantile);
  if (found === undefined) return "nothing was answered";
  return found > limitMs ? `${name} was ${found.toFixed(found < 10 ? 1 : 0)} ms` : undefined;
}

function errors({ due, failures }: TrialFigures): string | undefined {
  const failed = Object.entries(failures).sort(([, a], [, b]) => b - a);
  const count = failed.reduce((sum, [, times]) => sum + times, 0);
  if (count <= due * errorsPartMax) return undefined;
  const [code] = failed[0]!;
  return `${((100 * count) / due).toFixed(1)} % failed (most: ${code})`;
}

function shortfall({ due, keptUp }: TrialFigures): string | undefined {
  if (due === 0) return "no call was due";
  return keptUp < due * achievedPartMin ? `only ${((100 * keptUp) / due).toFixed(1)} % were done in time` : undefined;
}

/** By Little's law, the wait that a queue stands for is its calls over their rate. */
function growth({ open, perSecond }: TrialFigures, { limitMs }: Objective): string | undefined {
  const third = Math.floor(open.length / 3);
  if (third === 0) return undefined;
  const [before, after] = [mean(open.slice(0, third)), mean(open.slice(-third))];
  const grown = after - before;
  const grownMs = (grown / perSecond) * 1_000;
  if (after < before * growthTimes || grown < growthCallsMin || grownMs < limitMs * growthPartOfLimit) return undefined;
  return `a queue grew, from ${before.toFixed(0)} to ${after.toFixed(0)} calls`;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** How many response times a trial's percentiles stand on. */
export function samplesOf({ response }: TrialFigures): number {
  return countOf(response);
}
