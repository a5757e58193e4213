/**
 * What the README and the docs show of what benches measured, made from the files in `bench/results`, so that no figure
 * stands there that was not measured. A bench that saves its result there brings them up to date; a test compares the two.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { benches } from "./benches.ts";
import { markdownTable } from "./markdown.ts";
import { type Result, ratioTo, readResult, takenOf } from "./result.ts";
import { formatted } from "./table.ts";

export const resultsFolder: string = fileURLToPath(new URL("./results", import.meta.url));
const root = fileURLToPath(new URL("..", import.meta.url));

const written = "Written by `npm run bench` from the files in bench/results.";
const begin = `<!-- benches: begin. ${written} -->`;
const end = "<!-- benches: end -->";

/** Benches and their variants that the README shows; the others are in docs/performance.md. */
const shown: Readonly<Record<string, readonly string[]>> = {
  rpc: ["echo-64", "echo-1", "echo-512"],
  durable: ["spread-256", "hot-256"],
  saga: ["trips-64", "trips-256", "trips-1024"],
  http: ["get", "post"],
  overload: ["compute-2", "compute-10", "transfer-2", "transfer-10", "after-stall", "after-3c"],
  "load-cost": ["rpc-64"],
  capacity: ["one-node"],
  probes: ["bank"],
  memory: ["active", "in-turn"],
  growth: ["keys-1000", "keys-1000000", "replies-0", "replies-360000"],
};

/** Files of the project that show results, each by its path in the project. */
export const pages: readonly string[] = ["README.md", ...new Set(benches.flatMap(({ page }) => page?.path ?? []))];

/** A page as it should be, by the results that there are. */
export function pageWithFigures(path: string): string {
  let text = readFileSync(join(root, path), "utf8");
  if (path === "README.md") text = replaced(text, begin, end, tableOfFigures(), path);
  for (const { name, page } of benches) {
    const result = page?.path === path ? readResult(resultsFolder, name) : undefined;
    if (page === undefined || result === undefined) continue;
    text = replaced(text, `<!-- ${name}: begin. ${written} -->`, `<!-- ${name}: end -->`, page.text(result), path);
  }
  return text;
}

function replaced(text: string, begin: string, end: string, figures: string, path: string): string {
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${path} has no place for figures between ${begin} and ${end}`);
  return `${text.slice(0, from + begin.length)}\n\n${figures}\n\n${text.slice(to)}`;
}

export function writeFigures(): void {
  for (const path of pages) writeFileSync(join(root, path), pageWithFigures(path));
}

function tableOfFigures(): string {
  const head = ["what", "Synod", "beside it (Synod's rate divided by theirs)", "command", "measured"];
  const rows = Object.entries(shown).flatMap(([name, variants]) => {
    const result = readResult(resultsFolder, name);
    return result === undefined ? [] : variants.flatMap((variant) => rowOf(result, variant));
  });
  return markdownTable([head, ...rows]);
}

/** No row for a variant that was not measured. */
function rowOf(result: Result, variant: string): string[][] {
  const own = result.sides.synod?.[variant];
  const taken = takenOf(result, variant, own);
  if (own === undefined || taken === undefined) return [];
  const title = benches.find(({ name }) => name === result.bench)?.variants.find(({ name }) => name === variant)?.title;
  const others = Object.entries(result.sides).flatMap(([side, series]) => {
    const other = side === "synod" ? undefined : series[variant];
    if (other === undefined) return [];
    const then = takenOf(result, variant, other);
    const together = then === undefined || isDeepStrictEqual(then, taken);
    const where = then?.processor === taken.processor ? "" : `, ${then?.processor}`;
    const when = together ? "" : `; ${then.date}, \`${then.commit.slice(0, 7)}\`${where}`;
    const ratio = other.doubt === undefined ? formatted(ratioTo(result.sides, side, variant)) : "doubtful";
    return [`${side} ${formatted(other.median)} (${ratio}${when})`];
  });
  const how = `${taken.date}, \`${taken.commit.slice(0, 7)}\`, load average ${formatted(taken.loadBefore)}`;
  const command = `\`npm run bench -- ${result.bench} --variant ${variant}\``;
  const rate = `${formatted(own.median)} ${own.unit}${own.doubt === undefined ? "" : " (doubtful)"}`;
  return [[`${title}`, rate, others.join(", ") || "–", command, how]];
}
