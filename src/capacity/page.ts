/** The report as pictures, and as a page that holds them with what they mean. */
import { lineChart, type Series } from "../pictures/chart.ts";
import { htmlTable, paragraph, standalonePage } from "../pictures/page.ts";
import type { CapacityReport, LoadPoint, TrialReport } from "./report.ts";
import { scaledTo } from "./scalability.ts";
import { headlineOf, ms, rate, sentencesOf } from "./words.ts";

/** SVG documents by name: `goodput`, `response-times`, `nodes`. */
export function picturesOf(report: CapacityReport): Readonly<Record<string, string>> {
  const pictures: Record<string, string> = {};
  if (report.curve.length > 0) {
    pictures.goodput = goodputPicture(report);
    pictures["response-times"] = responsePicture(report);
  }
  if (report.scale !== undefined) pictures.nodes = nodesPicture(report, report.scale);
  return pictures;
}

export function pageOf(report: CapacityReport): string {
  const { machine, operations, at, timeoutMs, loadProcesses } = report;
  const where = `${machine.processor}, ${machine.cores} processors, Node ${machine.node} on ${machine.system}, load average ${machine.loadAverage.toFixed(1)} before; ${at}.`;
  const how = `Open loop: calls come at random (Poisson) from ${loadProcesses} processes over HTTP, response times count from the instant at which a call was due, callers wait ${ms(timeoutMs)}. Asked for: ${operations.join(", ")}.`;
  return standalonePage(`Capacity of ${report.system}`, [
    paragraph(headlineOf(report), "headline"),
    ...sentencesOf(report).map((words) => paragraph(words)),
    ...Object.values(picturesOf(report)),
    "<h2>All trials</h2>",
    htmlTable(columns, report.trials.map(trialRow)),
    ...(report.curve.length > 0
      ? ["<h2>Up to three times the capacity</h2>", htmlTable(pointColumns, report.curve.map(pointRow))]
      : []),
    paragraph(how, "small"),
    paragraph(where, "small"),
  ]);
}

const green = "#0b6e4f";
const blue = "#235789";
const red = "#c1292e";
const yellow = "#f1a208";
const grey = "#8a8a8a";

function goodputPicture(report: CapacityReport): string {
  const { capacity, curve, withoutShedding } = report;
  const series = (
    name: string,
    colour: string,
    points: readonly LoadPoint[],
    of: (point: LoadPoint) => number,
    dashed = false,
  ): Series => ({
    name,
    colour,
    dashed,
    points: points.map((point) => ({ x: point.offeredPerSecond, y: of(point), doubtful: !point.counts })),
  });
  const most = Math.max(...curve.map(({ goodputPerSecond }) => goodputPerSecond));
  return lineChart({
    title: `${report.system}: what is answered of what is offered`,
    x: "offered, calls/s",
    y: "answered, calls/s",
    series: [
      {
        name: "all of it",
        colour: grey,
        dashed: true,
        points: [
          { x: 0, y: 0 },
          { x: most, y: most },
        ],
      },
      series("answered at all", blue, curve, ({ throughputPerSecond }) => throughputPerSecond, true),
      series("goodput", green, curve, ({ goodputPerSecond }) => goodputPerSecond),
      ...(withoutShedding === undefined
        ? []
        : [series("no load control", red, withoutShedding, ({ goodputPerSecond }) => goodputPerSecond)]),
    ],
    verticals: [{ at: capacity.perSecond, words: "capacity" }],
  });
}

function responsePicture(report: CapacityReport): string {
  const { curve, withoutShedding = [], objective, capacity } = report;
  const series = (
    name: string,
    colour: string,
    points: readonly LoadPoint[],
    of: (point: LoadPoint) => number | undefined,
    dashed = false,
  ): Series => ({
    name,
    colour,
    dashed,
    points: points.flatMap((point) => {
      const y = of(point);
      return y === undefined ? [] : [{ x: point.offeredPerSecond, y, doubtful: !point.counts }];
    }),
  });
  return lineChart({
    title: `${report.system}: response times of good answers`,
    x: "offered, calls/s",
    y: "ms",
    logarithmic: true,
    series: [
      series("p50", green, curve, ({ p50Ms }) => p50Ms),
      series("p90", blue, curve, ({ p90Ms }) => p90Ms),
      series("p99", yellow, curve, ({ p99Ms }) => p99Ms),
      series("p99.9", grey, curve, ({ p999Ms }) => p999Ms),
      ...(withoutShedding.length === 0
        ? []
        : [series("p99, no load control", red, withoutShedding, ({ p99Ms }) => p99Ms, true)]),
    ],
    verticals: [{ at: capacity.perSecond, words: "capacity" }],
    horizontals: [{ at: objective.limitMs, words: `${objective.name} of the objective` }],
  });
}

function nodesPicture(report: CapacityReport, { points, fit }: NonNullable<CapacityReport["scale"]>): string {
  const most = Math.max(...points.map(({ nodes }) => nodes));
  const first = points[0]!;
  const counts = Array.from({ length: 2 * most }, (_, at) => at + 1);
  return lineChart({
    title: `${report.system}: capacity by nodes`,
    x: "nodes",
    y: "calls/s",
    series: [
      { name: "measured", colour: green, points: points.map(({ nodes, perSecond }) => ({ x: nodes, y: perSecond })) },
      ...(fit === undefined
        ? []
        : [
            {
              name: "scalability law",
              colour: blue,
              dashed: true,
              points: counts.map((nodes) => ({ x: nodes, y: scaledTo(fit, nodes) })),
            },
          ]),
      {
        name: "each like the first",
        colour: grey,
        dashed: true,
        points: [1, most].map((nodes) => ({ x: nodes, y: (nodes * first.perSecond) / first.nodes })),
      },
    ],
  });
}

const pointColumns = ["offered/s", "goodput/s", "turned away/s", "p50", "p90", "p99", "p99.9", "load late (p99)"];
const columns = ["trial", "result", ...pointColumns];

function pointRow(point: LoadPoint): string[] {
  return [
    rate(point.offeredPerSecond),
    rate(point.goodputPerSecond),
    rate(point.shedPerSecond),
    ...[point.p50Ms, point.p90Ms, point.p99Ms, point.p999Ms].map(ms),
    ms(point.loadLagMs),
  ];
}

function trialRow(trial: TrialReport): string[] {
  const result = trial.reasons.length === 0 ? trial.verdict : `${trial.verdict}: ${trial.reasons.join("; ")}`;
  return [trial.phase, result, ...pointRow(trial)];
}
