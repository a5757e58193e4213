/** The report in words and rows, the same on the terminal and on the page. */
import { type AvailabilityReport, probes, type WindowReport } from "./report.ts";

export const columns: readonly string[] = [
  "window",
  "good",
  "bad",
  "availability",
  "nines",
  "at least (95 %)",
  "observed",
  "budget left",
];

export function rowOf({
  window,
  good,
  bad,
  availability,
  nines,
  ninesAtLeast,
  coverage,
  budgetLeft,
}: WindowReport): string[] {
  return [
    window,
    count(good),
    count(bad),
    availability === undefined ? "-" : percent(availability),
    nines === undefined ? "-" : nines === null ? "all" : nines.toFixed(2),
    ninesAtLeast === undefined ? "-" : ninesAtLeast.toFixed(2),
    coverage === undefined ? "-" : percent(coverage, 1),
    budgetLeft === undefined ? "-" : percent(budgetLeft, 1),
  ];
}

export function sentencesOf({ series, outages, alerts }: AvailabilityReport): string[] {
  const probed = series.find(({ name }) => name === probes)?.windows.at(-1);
  const first =
    probed?.availability === undefined
      ? "No slice was probed yet."
      : `Up for ${seconds(probed.good)} and down for ${seconds(probed.bad)} of the ${seconds(probed.good + probed.bad)} that were probed: ${percent(probed.availability)}; ${percent(probed.coverage ?? 0, 1)} of the last ${probed.window} were observed, and what was not counts as neither.`;
  const last = outages.at(-1);
  const latest =
    last === undefined
      ? []
      : [
          `The last of ${outages.length} outages: ${new Date(last.from).toISOString()}, ${seconds((last.to - last.from) / 1_000)}, ${last.cause}.`,
        ];
  const firing = alerts.map(
    ({ series: name, words, burnRate }) =>
      `ALERT ${name}: the error budget burns ${burnRate.toFixed(1)} times as fast as it may (${words}).`,
  );
  return [first, ...latest, ...firing];
}

function percent(part: number, digits = 4): string {
  return `${(100 * part).toFixed(digits).replace(/\.?0+$/, "")} %`;
}

function count(value: number): string {
  return Math.round(value).toLocaleString("en");
}

function seconds(value: number): string {
  return value < 120
    ? `${value} s`
    : value < 7_200
      ? `${(value / 60).toFixed(1)} min`
      : `${(value / 3_600).toFixed(1)} h`;
}
