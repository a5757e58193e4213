/** The report as a picture, how long callers waited while faults struck, and as a page that holds it with what it means. */
import { lineChart, type Mark, type SeriesPoint } from "../pictures/chart.ts";
import { htmlTable, paragraph, standalonePage } from "../pictures/page.ts";
import type { DrillReport, Second } from "./report.ts";
import { faultColumns, faultRows, headlineOf, sentencesOf, wait } from "./words.ts";

/** Points of a line: more cannot be told apart. */
const pointsMax = 150;
/** Faults that are named in the picture; of more there are only lines. */
const namedMax = 8;

/** SVG documents by name: `waits`. */
export function picturesOf(report: DrillReport): Readonly<Record<string, string>> {
  return { waits: waitsPicture(report) };
}

export function pageOf(report: DrillReport): string {
  const { faults, at, perSecond, timeoutMs, seed, loadAverage, operations } = report;
  const how = `Calls came at random (Poisson), ${perSecond} in a second, through the client library with its repeats; callers waited ${wait(timeoutMs)}. Asked for: ${operations.join(", ")}. Seed ${seed}, load average ${loadAverage.toFixed(1)} before, ${at}.`;
  const rows = faults.map(({ at: struckAt, kind, node, longestWaitMs, silenceMs, failed }) => [
    `${(struckAt / 1_000).toFixed(1)} s`,
    kind,
    node ?? "all",
    wait(longestWaitMs),
    wait(silenceMs),
    String(failed),
  ]);
  return standalonePage(`Drill of ${report.system}`, [
    paragraph(headlineOf(report), "headline"),
    ...sentencesOf(report).map((words) => paragraph(words)),
    ...Object.values(picturesOf(report)),
    htmlTable(faultColumns, faultRows(report)),
    "<h2>All faults</h2>",
    htmlTable(["at", "fault", "node", "longest wait", "longest silence", "failed"], rows),
    paragraph(how, "small"),
  ]);
}

function waitsPicture({ system, seconds, faults }: DrillReport): string {
  const width = Math.ceil(seconds.length / pointsMax);
  const failed = pointsOf(seconds, width, (part) => part.reduce((sum, one) => sum + one.failed, 0)).filter(
    ({ y }) => y > 0,
  );
  const marks: Mark[] = faults.map(({ at, kind }) => ({
    at: at / 1_000,
    words: faults.length <= namedMax ? kind : "",
  }));
  return lineChart({
    title: `${system}: the longest wait for an answer, faults dashed`,
    x: "s",
    y: "ms",
    series: [
      {
        name: "longest wait, ms",
        colour: "#235789",
        points: pointsOf(seconds, width, (part) => Math.max(...part.map(({ longestWaitMs }) => longestWaitMs))),
      },
      ...(failed.length === 0 ? [] : [{ name: "failed requests", colour: "#c1292e", points: failed }]),
    ],
    verticals: marks,
  });
}

function pointsOf(seconds: readonly Second[], width: number, of: (part: readonly Second[]) => number): SeriesPoint[] {
  return Array.from({ length: Math.ceil(seconds.length / width) }, (_, at) => {
    const part = seconds.slice(at * width, (at + 1) * width);
    return { x: at * width, y: of(part) };
  });
}
