/**
 * Histograms as they travel: counts by value, so that those of several nodes are merged by adding, and what happened
 * between two looks is what the later one has more than the earlier one. Values are rounded where they are
 * recorded, alike everywhere (two significant digits), so equal values meet.
 */

export interface Histogram {
  /** Pairs of a value in whole µs and how often it came, by ascending value. */
  readonly counts: readonly (readonly [valueUs: number, count: number])[];
  /** Of all values that were recorded, µs; not rounded as these are. */
  readonly sumUs: number;
}

export const emptyHistogram: Histogram = { counts: [], sumUs: 0 };

/** How many values were recorded. */
export function countOf({ counts }: Histogram): number {
  return counts.reduce((sum, [, count]) => sum + count, 0);
}

/** What several nodes recorded, as if one had. */
export function mergedHistogram(histograms: readonly Histogram[]): Histogram {
  const counts = new Map<number, number>();
  for (const histogram of histograms) {
    for (const [value, count] of histogram.counts) counts.set(value, (counts.get(value) ?? 0) + count);
  }
  return { counts: ascending(counts), sumUs: histograms.reduce((sum, { sumUs }) => sum + sumUs, 0) };
}

/** What was recorded since `earlier`. One that shrank belongs to a process that started again: all of it is new. */
export function histogramSince(later: Histogram, earlier: Histogram): Histogram {
  if (later.sumUs < earlier.sumUs || countOf(later) < countOf(earlier)) return later;
  const counts = new Map(later.counts);
  for (const [value, count] of earlier.counts) counts.set(value, (counts.get(value) ?? 0) - count);
  return { counts: ascending(counts), sumUs: later.sumUs - earlier.sumUs };
}

/** The value in ms that the part `q` (0.99, say) of all values does not exceed; undefined for an empty histogram. */
export function quantileMs(histogram: Histogram, q: number): number | undefined {
  const rank = Math.max(1, Math.ceil(countOf(histogram) * q));
  let seen = 0;
  for (const [value, count] of histogram.counts) {
    seen += count;
    if (seen >= rank) return value / 1_000;
  }
  return undefined;
}

function ascending(counts: ReadonlyMap<number, number>): Histogram["counts"] {
  return [...counts].filter(([, count]) => count > 0).sort(([a], [b]) => a - b);
}
