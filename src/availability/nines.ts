/**
 * Availability as a number of nines, with what the observations allow to say: whoever saw 100 good seconds has not seen
 * five nines. The lower bound is Wilson's score interval (E. B. Wilson, JASA 22, 1927; recommended by Brown, Cai and
 * DasGupta, "Interval Estimation for a Binomial Proportion", Statistical Science 16, 2001), one-sided at 95 %.
 *
 * Observations are taken to be independent. Outages come in one piece, so that the truth is wider than the bound.
 */
import type { Counts } from "./rollups.ts";

/** Of the normal distribution: 95 % lie below it. */
const z = 1.6449;

/** 0 to 1; undefined when nothing was observed. */
export function availabilityOf({ good, bad }: Counts): number | undefined {
  return good + bad === 0 ? undefined : good / (good + bad);
}

/** With 95 % confidence the availability is at least this; 0 when nothing was observed. */
export function lowerBoundOf(counts: Counts): number {
  return boundsOf(counts).lower;
}

/** What the availability can be, each bound with 95 % confidence; anything when nothing was observed. */
export function boundsOf({ good, bad }: Counts): { readonly lower: number; readonly upper: number } {
  const count = good + bad;
  if (count === 0) return { lower: 0, upper: 1 };
  const part = good / count;
  const middle = part + z ** 2 / (2 * count);
  const margin = z * Math.sqrt((part * (1 - part)) / count + z ** 2 / (4 * count ** 2));
  const scale = 1 + z ** 2 / count;
  return { lower: Math.max(0, (middle - margin) / scale), upper: Math.min(1, (middle + margin) / scale) };
}

/** 0.999 is 3 nines; all of it is infinitely many. */
export function ninesOf(availability: number): number {
  return availability >= 1 ? Number.POSITIVE_INFINITY : -Math.log10(1 - availability);
}

/** What may be bad of a window: `0.001` of it for the objective 0.999. Below 0: more than all is used up. */
export function budgetLeft(counts: Counts, objective: number): number {
  const count = counts.good + counts.bad;
  return count === 0 ? 1 : 1 - counts.bad / (count * (1 - objective));
}
