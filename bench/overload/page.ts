/** What docs/load.md shows of a result: the curve of every side, and Synod's gates, each with the command that measures it. */
import { markdownTable } from "../markdown.ts";
import { detailName, doubtOf, doubtsOf, type Result, type Series, type Taken, takenOf } from "../result.ts";
import { doubtMark, formatted } from "../table.ts";
import type { Work } from "./bench.ts";
import { gatesOf, p99Detail, verdictOf } from "./gates.ts";

const sideWords: Readonly<Record<string, string>> = {
  ...{ synod: "Synod", unshed: "Synod without load control", fastify: "bare Fastify", moleculer: "Moleculer" },
  limit: "`node:http`",
};

export function pageOf(
  result: Result,
  works: readonly (readonly [Work, string])[],
  factors: readonly number[],
): string {
  const names = works.map(([work]) => work);
  const doubts = doubtsOf(
    result,
    names.flatMap((work) => factors.map((times) => ({ name: `${work}-${times}` }))),
  );
  const legend = doubts.length === 0 ? [] : [`${doubtMark} Doubtful, not to be quoted:\n\n${listOf(doubts)}`];
  return [curveTable(result, works, factors), ...legend, gateTable(result, names, factors)].join("\n\n");
}

function listOf(lines: readonly string[]): string {
  return lines.map((line) => `- ${line}`).join("\n");
}

function curveTable(result: Result, works: readonly (readonly [Work, string])[], factors: readonly number[]): string {
  const head = ["good answers per second, offered", ...factors.map((times) => `${times}C`), "measured"];
  const rows = works.flatMap(([work, words]) =>
    Object.entries(result.sides).flatMap(([side, all]) => {
      const name = `${words}: ${sideWords[side] ?? side}`;
      const rates = rowOf(result, name, all, (times) => `${work}-${times}`, factors);
      const p99 = (times: number): string => detailName(`${work}-${times}`, p99Detail);
      const waits = side === "synod" ? rowOf(result, `${p99Detail}, ms`, all, p99, factors) : [];
      return [...rates, ...waits];
    }),
  );
  return markdownTable([head, ...rows], new Set(factors.map((_, index) => index + 1)));
}

/** No row of a side that was not measured. */
function rowOf(
  result: Result,
  name: string,
  all: Readonly<Record<string, Series>>,
  seriesName: (times: number) => string,
  factors: readonly number[],
): string[][] {
  const found = factors.map((times) => all[seriesName(times)]);
  if (found.every((series) => series === undefined)) return [];
  const when = factors.flatMap((times, index) => {
    const series = found[index];
    const how = takenOf(result, seriesName(times), series);
    return series === undefined || how === undefined ? [] : [whenOf(result, series, how)];
  });
  const cells = factors.map((times, index) => {
    const mark = doubtOf(all, seriesName(times)) === undefined ? "" : doubtMark;
    return found[index] ? `${formatted(found[index].median)}${mark}` : "–";
  });
  return [[name, ...cells, [...new Set(when)].join("; ")]];
}

function whenOf(result: Result, { samples }: Series, taken: Taken): string {
  const { date, commit, secondsPerRun, loadBefore, processor } = taken;
  const where = processor === result.machine.processor ? "" : `, ${processor}`;
  const runs = samples.length === 1 ? "1 run" : `${samples.length} runs`;
  return `${date}, \`${commit.slice(0, 7)}\`, ${runs} of ${secondsPerRun} s, load average ${formatted(loadBefore)}${where}`;
}

function gateTable(result: Result, works: readonly Work[], factors: readonly number[]): string {
  const head = ["gate", "is", "to be", "", "command"];
  const rows = gatesOf(result, works, factors).map((gate) => [
    ...[gate.what, String(gate.is), `at ${gate.most ? "most" : "least"} ${gate.bound}`, verdictOf(gate)],
    `\`npm run bench -- overload --keep --variant ${gate.variant}\``,
  ]);
  return markdownTable([head, ...rows], new Set([1]));
}
