/**
 * What was good and what was bad, over time, in a bounded space: each series is counted in buckets of a minute for
 * three hours, of a quarter of an hour for three days, and of an hour for a month. What nobody observed is in no bucket:
 * it is unknown, and never good.
 *
 * Series are kept apart and never added to each other: `probes` (slices of a second), `requests/SERVICE` (calls), `keys`
 * (ms in which keys were up and down).
 */

/** Start (ms since 1970, a multiple of the tier's width), good, bad. */
export type Bucket = readonly [start: number, good: number, bad: number];

/** The buckets of a series, by tier; as they are stored. */
export type Tiers = readonly (readonly Bucket[])[];

export interface Counts {
  readonly good: number;
  readonly bad: number;
}

interface Tier {
  readonly widthMs: number;
  readonly bucketsMax: number;
}

const minuteMs = 60_000;
const tiers: readonly Tier[] = [
  { widthMs: minuteMs, bucketsMax: 181 },
  { widthMs: 15 * minuteMs, bucketsMax: 289 },
  { widthMs: 60 * minuteMs, bucketsMax: 721 },
];

export class RollUps {
  readonly #series = new Map<string, Map<number, Bucket>[]>();

  /** At `at`, ms since 1970. */
  add(series: string, at: number, { good, bad }: Counts): void {
    const own = this.#of(series);
    for (const [index, { widthMs, bucketsMax }] of tiers.entries()) {
      const start = Math.floor(at / widthMs) * widthMs;
      const buckets = own[index]!;
      const [, goodBefore, badBefore] = buckets.get(start) ?? [start, 0, 0];
      buckets.set(start, [start, goodBefore + good, badBefore + bad]);
      if (buckets.size > bucketsMax) buckets.delete(Math.min(...buckets.keys()));
    }
  }

  /** What was counted from `windowMs` before `now` on, to the width of a bucket. */
  window(series: string, now: number, windowMs: number): Counts {
    const index = tiers.findIndex(({ widthMs, bucketsMax }) => windowMs <= widthMs * (bucketsMax - 1));
    const at = index < 0 ? tiers.length - 1 : index;
    const { widthMs } = tiers[at]!;
    let [good, bad] = [0, 0];
    for (const [start, goodHere, badHere] of this.#series.get(series)?.[at]?.values() ?? []) {
      if (start + widthMs <= now - windowMs || start > now) continue;
      good += goodHere;
      bad += badHere;
    }
    return { good, bad };
  }

  get names(): readonly string[] {
    return [...this.#series.keys()];
  }

  /** For the store. */
  tiersOf(series: string): Tiers {
    return this.#of(series).map((buckets) => [...buckets.values()]);
  }

  /** What the store had, from an earlier life of the meter; what was counted since is added to it. */
  restore(series: string, kept: Tiers): void {
    const own = this.#of(series);
    for (const [index, { widthMs, bucketsMax }] of tiers.entries()) {
      const buckets = own[index]!;
      for (const [start, good, bad] of kept[index] ?? []) {
        if (start % widthMs !== 0) continue;
        const [, goodSince, badSince] = buckets.get(start) ?? [start, 0, 0];
        buckets.set(start, [start, good + goodSince, bad + badSince]);
      }
      while (buckets.size > bucketsMax) buckets.delete(Math.min(...buckets.keys()));
    }
  }

  #of(series: string): Map<number, Bucket>[] {
    const found = this.#series.get(series) ?? tiers.map(() => new Map<number, Bucket>());
    this.#series.set(series, found);
    return found;
  }
}
