/**
 * The rate of each side is what it does with as many sagas in flight as suit it best: a side that is bound by the latency of its
 * commits gains by more of them, and one that is bound by its processor does not.
 */
import type { Variant } from "../bench.ts";
import { markdownTable } from "../markdown.ts";
import { type Result, takenOf } from "../result.ts";
import { formatted } from "../table.ts";

/** What Synod's rate is to be at the least, in times of each peer's. */
const timesMin = 10;

interface Best {
  readonly variant: Variant;
  readonly rate: number;
}

/** Undefined where the side was not measured. */
function bestOf({ sides }: Result, side: string, variants: readonly Variant[]): Best | undefined {
  const measured = variants.flatMap((variant) => {
    const series = sides[side]?.[variant.name];
    return series === undefined ? [] : [{ variant, rate: series.median }];
  });
  return measured.toSorted((a, b) => b.rate - a.rate)[0];
}

/** For docs/performance.md: what each side does with each number in flight, and at its best. */
export function pageOf(result: Result, variants: readonly Variant[]): string {
  const own = bestOf(result, "synod", variants);
  const head = ["sagas/s", ...variants.map(({ title }) => title), "Synod's best divided by its best", "measured"];
  const rows = Object.keys(result.sides).flatMap((side) => {
    const best = bestOf(result, side, variants);
    if (own === undefined || best === undefined) return [];
    const rates = variants.map((variant) => {
      const series = result.sides[side]?.[variant.name];
      return series === undefined ? "–" : `${formatted(series.median)}${variant === best.variant ? " (best)" : ""}`;
    });
    return [[side, ...rates, side === "synod" ? "" : formatted(own.rate / best.rate), whenOf(result, side, variants)]];
  });
  return markdownTable([head, ...rows], new Set([...variants, head].map((_, index) => index + 1)));
}

function whenOf(result: Result, side: string, variants: readonly Variant[]): string {
  const times = variants.flatMap(({ name }) => {
    const series = result.sides[side]?.[name];
    const taken = series && takenOf(result, name, series);
    return taken === undefined ? [] : [`${taken.date}, \`${taken.commit.slice(0, 7)}\``];
  });
  return [...new Set(times)].join("; ");
}

/** Whether Synod does as much as it is to, beside each peer that was measured. */
export function gateLinesOf(result: Result, variants: readonly Variant[], peers: readonly string[]): string[] {
  const own = bestOf(result, "synod", variants);
  return peers.flatMap((side) => {
    const best = bestOf(result, side, variants);
    if (own === undefined || best === undefined) return [];
    const times = own.rate / best.rate;
    const rates = `synod ${formatted(own.rate)} (${own.variant.name}), ${side} ${formatted(best.rate)} (${best.variant.name})`;
    const verdict = times >= timesMin ? "passed" : "FAILED";
    return [`${verdict}: each at its best: ${rates}: ${formatted(times)} times, to be at least ${timesMin}`];
  });
}
