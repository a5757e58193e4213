/** What the meter says: three kinds of series, never blended, each over windows from a minute to thirty days. */
import type { AlertChange } from "./alerts.ts";
import { availabilityOf, budgetLeft, lowerBoundOf, ninesOf } from "./nines.ts";
import type { RollUps } from "./rollups.ts";
import { type Outage, sliceMs } from "./slices.ts";

export interface WindowReport {
  readonly window: string;
  readonly windowMs: number;
  /** Of `probes`: seconds. Of `requests/…`: calls. Of `keys`: ms. */
  readonly good: number;
  readonly bad: number;
  /** The part of the window that was observed; undefined for series that only exist when there are calls. */
  readonly coverage: number | undefined;
  /** 0 to 1; undefined when nothing was observed. */
  readonly availability: number | undefined;
  /** Null for infinitely many: nothing was bad. */
  readonly nines: number | null | undefined;
  /** With 95 % confidence at least so many; undefined for keys, whose ms are no independent observations. */
  readonly ninesAtLeast: number | undefined;
  /** The part of the error budget that is left; undefined without an objective. */
  readonly budgetLeft: number | undefined;
}

export interface SeriesReport {
  readonly name: string;
  readonly objective: number | undefined;
  readonly windows: readonly WindowReport[];
}

export interface AvailabilityReport {
  readonly system: string;
  readonly at: string;
  readonly series: readonly SeriesReport[];
  readonly outages: readonly Outage[];
  readonly alerts: readonly { readonly series: string; readonly words: string; readonly burnRate: number }[];
}

export const probes = "probes";
export const keys = "keys";

const minuteMs = 60_000;
const windows: readonly (readonly [string, number])[] = [
  ["1 min", minuteMs],
  ["5 min", 5 * minuteMs],
  ["30 min", 30 * minuteMs],
  ["1 h", 60 * minuteMs],
  ["6 h", 360 * minuteMs],
  ["1 d", 1_440 * minuteMs],
  ["3 d", 3 * 1_440 * minuteMs],
  ["7 d", 7 * 1_440 * minuteMs],
  ["30 d", 30 * 1_440 * minuteMs],
];

export interface Told {
  readonly system: string;
  readonly now: number;
  readonly rollUps: RollUps;
  readonly outages: readonly Outage[];
  readonly firing: readonly AlertChange[];
  readonly objectiveOf: (series: string) => number | undefined;
}

export function reportOf({ system, now, rollUps, outages, firing, objectiveOf }: Told): AvailabilityReport {
  const names = [...new Set([probes, ...rollUps.names])];
  return {
    system,
    at: new Date(now).toISOString(),
    series: names.map((name) => ({
      name,
      objective: objectiveOf(name),
      windows: windows.map(([window, windowMs]) =>
        windowOf(name, { window, windowMs }, now, rollUps, objectiveOf(name)),
      ),
    })),
    outages,
    alerts: firing.map(({ series, rule, burnRate }) => ({ series, words: rule.words, burnRate })),
  };
}

function windowOf(
  name: string,
  { window, windowMs }: { readonly window: string; readonly windowMs: number },
  now: number,
  rollUps: RollUps,
  objective: number | undefined,
): WindowReport {
  const counts = rollUps.window(name, now, windowMs);
  const availability = availabilityOf(counts);
  const nines = availability === undefined ? undefined : ninesOf(availability);
  return {
    window,
    windowMs,
    ...counts,
    coverage: name === probes ? Math.min(1, ((counts.good + counts.bad) * sliceMs) / windowMs) : undefined,
    availability,
    nines: nines === Number.POSITIVE_INFINITY ? null : nines,
    ninesAtLeast: name === keys ? undefined : ninesOf(lowerBoundOf(counts)),
    budgetLeft: objective === undefined ? undefined : budgetLeft(counts, objective),
  };
}
