/** The report as pictures: the scale of nines with the system's place on it, and downtime on a time line with its causes. */
import { escaped } from "../pictures/chart.ts";
import { htmlTable, paragraph, standalonePage } from "../pictures/page.ts";
import { type AvailabilityReport, probes, type SeriesReport, type WindowReport } from "./report.ts";
import type { OutageCause } from "./slices.ts";
import { columns, rowOf, sentencesOf } from "./words.ts";

const width = 760;
const [left, right] = [150, width - 40];
const ninesMax = 6;
const hourMs = 3_600_000;
const colours: Readonly<Record<OutageCause, string>> = {
  crash: "#c1292e",
  failover: "#f1a208",
  overload: "#6a4c93",
  store: "#235789",
  unknown: "#8a8a8a",
};
/** What is allowed to be down in a month, by nines. */
const allowances = ["3 d", "7 h 18 min", "43 min", "4.3 min", "26 s", "2.6 s"];

/** SVG documents by name: `nines`, `downtime`. */
export function picturesOf(report: AvailabilityReport): Readonly<Record<string, string>> {
  return { nines: ninesPicture(report), downtime: downtimePicture(report) };
}

export function pageOf(report: AvailabilityReport): string {
  return standalonePage(`Availability of ${report.system}`, [
    ...sentencesOf(report).map((words) => paragraph(words)),
    ...Object.values(picturesOf(report)),
    ...report.series.flatMap((series) => [
      `<h2>${escaped(series.name)}</h2>`,
      htmlTable(columns, observed(series).map(rowOf)),
    ]),
    paragraph(report.at, "small"),
  ]);
}

function observed({ windows }: SeriesReport): readonly WindowReport[] {
  return windows.filter(({ availability }) => availability !== undefined);
}

/** Of each series the longest window, with the lower bound of confidence as a bar to its left. */
function ninesPicture({ system, series }: AvailabilityReport): string {
  const shown = series.filter((one) => observed(one).length > 0);
  const height = 110 + shown.length * 34;
  const x = (nines: number): number => left + (Math.min(nines, ninesMax) / ninesMax) * (right - left);
  const ticks = allowances.map((words, index) => {
    const at = x(index + 1);
    const line = `<line x1="${at}" y1="52" x2="${at}" y2="${height - 46}" stroke="#e6e6e6"/>`;
    return `${line}${text(at, height - 28, `${index + 1}`, "middle")}${text(at, height - 12, words, "middle")}`;
  });
  const rows = shown.map((one, index) => {
    const y = 70 + index * 34;
    const { nines, ninesAtLeast, window } = observed(one).at(-1)!;
    const at = nines == null ? ninesMax : nines;
    const from = ninesAtLeast ?? at;
    const bar = `<line x1="${x(from)}" y1="${y}" x2="${x(at)}" y2="${y}" stroke="#0b6e4f" stroke-width="3"/>`;
    const dot = `<circle cx="${x(at)}" cy="${y}" r="5" fill="#0b6e4f"/>`;
    const goal = one.objective === undefined ? "" : goalMark(x(-Math.log10(1 - one.objective)), y);
    return `${text(left - 12, y + 4, `${one.name}, ${window}`, "end")}${bar}${dot}${goal}`;
  });
  const title = `${system}: nines, from what is certain (95 %) to what was seen`;
  return svg(height, title, [
    ...ticks,
    ...rows,
    text(left, height - 28, "nines", "end"),
    text(left, height - 12, "down per month", "end"),
  ]);
}

function goalMark(at: number, y: number): string {
  return `<path d="M${at} ${y - 12}v24" stroke="#c1292e" stroke-width="2"><title>objective</title></path>`;
}

/** Since the first outage that is known, and for as long as probes were made, an hour of them at most, until now. */
function downtimePicture({ system, series, outages, at }: AvailabilityReport): string {
  const now = Date.parse(at);
  const from = Math.min(now - probedMs(series), ...outages.map((outage) => outage.from));
  const x = (time: number): number => 40 + ((time - from) / (now - from)) * (width - 80);
  const bars = outages.map((outage) => {
    const wide = Math.max(2, x(outage.to) - x(outage.from));
    const words = `${new Date(outage.from).toISOString()}: ${(outage.to - outage.from) / 1_000} s, ${outage.cause} (${outage.failure})`;
    return `<rect x="${x(outage.from).toFixed(1)}" y="60" width="${wide.toFixed(1)}" height="50" fill="${colours[outage.cause]}"><title>${escaped(words)}</title></rect>`;
  });
  const legend = Object.entries(colours).map(
    ([cause, colour], index) =>
      `<rect x="${40 + index * 110}" y="150" width="12" height="8" fill="${colour}"/>${text(58 + index * 110, 158, cause)}`,
  );
  const frame = `<rect x="40" y="60" width="${width - 80}" height="50" fill="#e3f1ea"/>`;
  const ends = [text(40, 128, new Date(from).toISOString().slice(0, 16)), text(width - 40, 128, "now", "end")];
  return svg(172, `${system}: downtime, and its causes`, [frame, ...bars, ...ends, ...legend]);
}

/** The shortest window that holds all probes, at most an hour. */
function probedMs(series: readonly SeriesReport[]): number {
  const windows = series.find(({ name }) => name === probes)?.windows ?? [];
  const all = windows.at(-1);
  const shortest = windows.find(({ good, bad }) => all !== undefined && good + bad === all.good + all.bad);
  return Math.min(hourMs, shortest?.windowMs ?? hourMs);
}

function svg(height: number, title: string, body: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    `<text x="20" y="28" font-size="15">${escaped(title)}</text>`,
    ...body,
    "</svg>\n",
  ].join("\n");
}

function text(x: number, y: number, words: string, anchor = "start"): string {
  return `<text x="${x.toFixed(1)}" y="${y}" text-anchor="${anchor}">${escaped(words)}</text>`;
}
