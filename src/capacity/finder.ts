/**
 * Drives the search for one running system: offers what the search asks for, has each trial judged, and afterwards offers
 * multiples of the capacity that was found, to see what the system does beyond it.
 */
import type { Load, Offered } from "./load/load.ts";
import type { Objective } from "./objective.ts";
import {
  type Consumption,
  consumptionBetween,
  othersCores,
  type Reading,
  type ReadMeters,
  takeReading,
} from "./readings.ts";
import { CapacitySearch, type NextTrial, type SearchResult } from "./search.ts";
import { goodputOf, judge, type Verdict } from "./trial.ts";

export interface TrialRecord {
  readonly phase: NextTrial["phase"] | "warm-up" | "curve";
  readonly figures: Offered;
  readonly verdict: Verdict;
  /** What the system consumed meanwhile. */
  readonly consumption: Consumption;
  /** Processors that others than system and load had; undefined where that cannot be told. */
  readonly othersCores: number | undefined;
}

export interface FinderOptions {
  readonly load: Load;
  readonly objective: Objective;
  /** How long one trial counts, ms. */
  readonly trialMs: number;
  /** How long a caller waits, ms. */
  readonly timeoutMs: number;
  /** Where the ramp begins, calls/s. */
  readonly firstPerSecond: number;
  /** No load above it is offered, calls/s. */
  readonly perSecondMax: number;
  readonly readMeters: ReadMeters;
  /** Whether the system runs on this machine. */
  readonly sameMachine: boolean;
  readonly onTrial: (record: TrialRecord) => void;
  /** Called before a trial, so that whoever watches knows what takes time. */
  readonly onOffer: (phase: TrialRecord["phase"], perSecond: number) => void;
}

export interface Found {
  readonly result: SearchResult;
  /** The last of the trials that confirmed it; undefined when none did. */
  readonly confirmation: TrialRecord | undefined;
  readonly trials: readonly TrialRecord[];
}

/** Before a trial counts, so that queues and the load's connections are as that load makes them: a part of the trial, and at most, ms. */
const settlePart = 0.25;
const settleMaxMs = 1_000;
/** A new process compiles its code while it serves its first calls: so long as it does so much more each time, it is offered calls that do not count. */
const warmUpTimes = 4;
const warmUpsMax = 12;
const warmerBy = 1.1;
/**
 * Then come twice as many calls each time, for as long as they are carried, and the most that were carried for so many trials more: what is
 * compiled well is what was called often, and until then the same load is not carried that is carried a minute later.
 */
const warmRampFactor = 2;
const warmTrials = 8;
/** When the meters are read in a trial, in parts of the time that counts. */
const readParts = [0.05, 0.95] as const;
/** Of the machine's processors the part that other programs may have before a load that fails is offered again, */
const othersPartMax = 0.1;
/** and how often in one search: on a machine that is never calm, the capacity is what is left of it. */
const disturbancesMax = 10;
/** A point of the curve stands alone: it is offered so many times as long as a trial of the search. */
const pointLengths = 2;
/** Times of the capacity of which the curve consists. */
const curveTimes: readonly number[] = [0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 2.5, 3];
/** How often a point of the curve is repeated whose load was late. */
const pointTriesMax = 2;

export async function findCapacity(options: FinderOptions): Promise<Found> {
  const search = new CapacitySearch(options);
  const trials: TrialRecord[] = [];
  await warmUp(options);
  let disturbances = 0;
  for (let next = search.next(); next !== undefined; next = search.next()) {
    const { phase, perSecond, lengths } = next;
    const record = await offer(options, phase, perSecond, options.trialMs * lengths, disturbances < disturbancesMax);
    trials.push(record);
    if (record.verdict.kind === "discarded" && record.verdict.by === "others") disturbances += 1;
    else search.told(record.verdict);
  }
  const { result } = search;
  const confirmation = trials.findLast(
    ({ phase, figures, verdict }) =>
      phase === "confirmation" && verdict.kind === "passed" && figures.perSecond === result.perSecond,
  );
  return { result, confirmation, trials };
}

async function warmUp(options: FinderOptions): Promise<void> {
  const first = Math.min(options.firstPerSecond * warmUpTimes, options.perSecondMax);
  await compileFirst(options, first);
  const { perSecondMax, trialMs } = options;
  let carried = first;
  for (let next = first * warmRampFactor; next <= perSecondMax; next *= warmRampFactor) {
    const { verdict } = await offer(options, "warm-up", next, trialMs);
    if (verdict.kind !== "passed") break;
    carried = next;
  }
  for (let times = 0; times < warmTrials; times++) await offer(options, "warm-up", carried, trialMs);
}

async function compileFirst(options: FinderOptions, perSecond: number): Promise<void> {
  let best = 0;
  for (let times = 0; times < warmUpsMax; times++) {
    const { figures, verdict } = await offer(options, "warm-up", perSecond, options.trialMs);
    const goodput = goodputOf(figures);
    if (verdict.kind === "passed" || goodput < best * warmerBy) return;
    best = Math.max(best, goodput);
  }
}

/** The same loads again, for another arrangement, when `perSecond` is that of the first. */
export async function measureCurve(options: FinderOptions, perSecond: number): Promise<readonly TrialRecord[]> {
  const points: TrialRecord[] = [];
  for (const times of curveTimes) {
    if (perSecond * times > options.perSecondMax) break;
    let point = await offer(options, "curve", perSecond * times, options.trialMs * pointLengths);
    for (let tries = 1; point.verdict.kind === "discarded" && tries < pointTriesMax; tries++) {
      point = await offer(options, "curve", perSecond * times, options.trialMs * pointLengths);
    }
    points.push(point);
  }
  return points;
}

/** `calmOnly`: throw a failure away in which others had a part of the machine. */
async function offer(
  options: FinderOptions,
  phase: TrialRecord["phase"],
  perSecond: number,
  ms: number,
  calmOnly = false,
): Promise<TrialRecord> {
  const { load, objective, timeoutMs, readMeters } = options;
  const settleMs = Math.min(settleMaxMs, ms * settlePart);
  options.onOffer(phase, perSecond);
  const [figures, ...readings] = await Promise.all([
    load.offer({ perSecond, settleMs, ms, timeoutMs, graceMs: objective.limitMs }),
    ...readParts.map((part) => readingAfter(settleMs + part * ms, readMeters)),
  ]);
  const consumption = consumptionBetween(readings[0]!, readings[1]!);
  const others = othersCores(consumption, figures.loadCores, options.sameMachine);
  const judged = judge(figures, objective);
  const verdict = calmOnly && judged.kind === "failed" ? (disturbance(consumption, others) ?? judged) : judged;
  const record: TrialRecord = { phase, figures, verdict, consumption, othersCores: others };
  options.onTrial(record);
  return record;
}

/** A load that fails while other programs run says nothing about the system alone; one that is carried all the same is carried. */
export function disturbance(
  { machineCoresMax }: Pick<Consumption, "machineCoresMax">,
  others = 0,
): Verdict | undefined {
  // Of the whole machine's, which is what `others` is counted of: this process keeps to those that are not the load's.
  if (others <= othersPartMax * machineCoresMax) return undefined;
  return { kind: "discarded", by: "others", reason: `other programs had ${others.toFixed(1)} processors meanwhile` };
}

async function readingAfter(ms: number, readMeters: ReadMeters): Promise<Reading> {
  await new Promise((resolve) => setTimeout(resolve, ms));
  return await takeReading(readMeters);
}
