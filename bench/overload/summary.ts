/** A run in figures: what became of the calls of the phase that counts, and of those since the trigger, if there was one. */
import type { Detail, Measured } from "../bench.ts";
import { type OverloadVariant, phaseMs } from "./bench.ts";
import { p99Detail, recoveredPart, unheardDetail } from "./gates.ts";
import { backAfterSeconds, type Ending, endings, lateOf, type PhaseTally, unheardOf } from "./tally.ts";

/**
 * A load that is later than this is a load of another kind than was asked for: a hundredth of the time that its callers
 * wait. What it is late by counts as theirs, because their time runs from the instant at which the call was due.
 */
const lagMaxMs = 10;
/** Processors that other programs may have while something is measured. */
const othersMax = 0.1;

/** A side that answers so many times its capacity can do more than was found out: what it was offered is not the multiple that it is called. */
const capacityTimesMax = 1.1;

/** What one run of the load saw. */
export interface Offered {
  /** By phase. */
  readonly tallies: readonly PhaseTally[];
  /** Processors that other programs had meanwhile. */
  readonly others: number;
}

export function measuredOf(variant: OverloadVariant, capacity: number, offered: Offered, measureMs: number): Measured {
  const counts = variant.phases.findIndex((phase) => phase.counts);
  const counted = offered.tallies[counts]!;
  const seconds = phaseMs(variant.phases[counts]!, measureMs) / 1_000;
  const lagMs = quantile(counted.lagsMs, 0.99);
  const details = [
    { name: "capacity", unit: "answers/s", value: capacity },
    { name: "offered", unit: "calls/s", value: counted.offered / seconds },
    { name: "good", unit: "of 1", value: counted.good / Math.max(1, counted.offered) },
    { name: p99Detail, unit: "ms", value: quantile(counted.responsesMs, 0.99) },
    { name: unheardDetail, unit: "of 1", value: unheardOf(counted) },
    { name: "late", unit: "calls/s", value: lateOf(counted) / seconds },
    ...endingsOf(counted, seconds, variant.repeats),
    { name: "p99 of the load's own delay", unit: "ms", value: lagMs },
    { name: "taken by other programs", unit: "processors", value: offered.others },
    ...repeatsOf(variant, offered.tallies),
    ...recoveryOf(variant, offered.tallies),
  ];
  if (variant.critical !== undefined) {
    const value = counted.criticalGood / Math.max(1, counted.criticalOffered);
    details.push({ name: "good of the critical", unit: "of 1", value });
  }
  const value = counted.good / seconds;
  return { value, details, doubt: doubtOf(lagMs, offered.others, value / capacity) };
}

/** Without repeats all that are late are so at their first attempt. */
function endingsOf({ ended }: PhaseTally, seconds: number, repeats: boolean): Detail[] {
  const all = Object.keys(endings) as Ending[];
  const told = repeats ? all : all.filter((ending) => !ending.startsWith("late"));
  return told.map((ending) => ({ name: endings[ending], unit: "calls/s", value: ended[ending] / seconds }));
}

function repeatsOf({ repeats }: OverloadVariant, tallies: readonly PhaseTally[]): Detail[] {
  if (!repeats) return [];
  const all = (count: (tally: PhaseTally) => number): number => tallies.reduce((sum, tally) => sum + count(tally), 0);
  const value =
    all(({ attempts }) => attempts) /
    Math.max(
      1,
      all(({ offered }) => offered),
    );
  return [{ name: "attempts per call", unit: "attempts", value }];
}

/** How soon it was as before, and second by second how many of the calls were good. */
function recoveryOf({ phases }: OverloadVariant, tallies: readonly PhaseTally[]): Detail[] {
  const trigger = phases.findIndex((phase) => phase.trigger);
  if (trigger < 0) return [];
  const since = tallies.slice(trigger + 1).flatMap(({ seconds }) => seconds);
  const back = { name: "back after", unit: "s", value: backAfterSeconds(since, recoveredPart) };
  const good = since.map((second, index) => ({
    name: `good in second ${index + 1} after the trigger`,
    unit: "of 1",
    value: second.good / Math.max(1, second.offered),
  }));
  return [back, ...good];
}

/** `times`: the good answers, in times of the capacity. */
export function doubtOf(lagMs: number, others: number, times: number): string | undefined {
  const doubts = [
    ...(lagMs > lagMaxMs ? [`the load was late by up to ${lagMs.toFixed(1)} ms (p99)`] : []),
    ...(others > othersMax ? [`other programs had ${others.toFixed(2)} processors`] : []),
    ...(times > capacityTimesMax ? [`the side did ${times.toFixed(2)} times the capacity that was found`] : []),
  ];
  return doubts.length === 0 ? undefined : doubts.join(", and ");
}

/** 0 of nothing. */
function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * q) - 1)] ?? 0;
}
