/**
 * The README's table of what benches measured, made from the files in `bench/results`, so that no figure stands there
 * that was not measured. A bench that saves its result there brings the table up to date; a test compares the two.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { benches } from "./benches.ts";
import { type Result, ratioTo, readResult } from "./result.ts";
import { formatted } from "./table.ts";

export const resultsFolder: string = fileURLToPath(new URL("./results", import.meta.url));
const readme = fileURLToPath(new URL("../README.md", import.meta.url));

const begin = "<!-- benches: begin. Written by `npm run bench` from the files in bench/results. -->";
const end = "<!-- benches: end -->";

/** Benches and their variants that the README shows; the others are in docs/performance.md. */
const shown: Readonly<Record<string, readonly string[]>> = {
  rpc: ["echo-64", "echo-1", "echo-512"],
  durable: ["spread-256", "hot-256"],
  saga: ["trips-64"],
  http: ["get", "post"],
  overload: ["compute-2", "compute-10", "transfer-2", "transfer-10", "after-stall", "after-3c"],
  "load-cost": ["rpc-64"],
  capacity: ["bank"],
  probes: ["bank"],
  memory: ["active", "in-turn"],
  growth: ["keys-1000", "keys-1000000", "replies-0", "replies-360000"],
};

/** The README as it should be, by the results that there are. */
export function readmeWithFigures(): string {
  const text = readFileSync(readme, "utf8");
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error("README.md has no place for the figures of the benches");
  return `${text.slice(0, from + begin.length)}\n\n${tableOfFigures()}\n\n${text.slice(to)}`;
}

export function writeFigures(): void {
  writeFileSync(readme, readmeWithFigures());
}

function tableOfFigures(): string {
  const head = ["what", "Synod", "beside it (Synod's rate divided by theirs)", "command", "measured"];
  const rows = Object.entries(shown).flatMap(([name, variants]) => {
    const result = readResult(resultsFolder, name);
    return result === undefined ? [] : variants.flatMap((variant) => rowOf(result, variant));
  });
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]!.length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`;
  return [head, widths.map((width) => "-".repeat(width)), ...rows].map(line).join("\n");
}

/** No row for a variant that was not measured. */
function rowOf(result: Result, variant: string): string[][] {
  const own = result.sides.synod?.[variant];
  const taken = result.taken[variant];
  if (own === undefined || taken === undefined) return [];
  const title = benches.find(({ name }) => name === result.bench)?.variants.find(({ name }) => name === variant)?.title;
  const others = Object.entries(result.sides).flatMap(([side, series]) => {
    const other = side === "synod" ? undefined : series[variant];
    if (other === undefined) return [];
    const when = other.taken === undefined ? "" : `; ${other.taken.date}, \`${other.taken.commit.slice(0, 7)}\``;
    return [`${side} ${formatted(other.median)} (${formatted(ratioTo(result.sides, side, variant))}${when})`];
  });
  const how = `${taken.date}, \`${taken.commit.slice(0, 7)}\`, load average ${formatted(taken.loadBefore)}`;
  const command = `\`npm run bench -- ${result.bench} --variant ${variant}\``;
  return [[`${title}`, `${formatted(own.median)} ${own.unit}`, others.join(", ") || "–", command, how]];
}
