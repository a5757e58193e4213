/** A result as a table: a row for each variant and for what helps to understand it, a column for each side. */
import type { Bench, Variant } from "./bench.ts";
import { detailName, doubtOf, type Result, ratioTo, type Series } from "./result.ts";

/** Stands at a figure that is not to be quoted. */
export const doubtMark = "†";

export function tableOf(bench: Bench, variants: readonly Variant[], result: Result): string {
  const sides = Object.keys(result.sides);
  const others = sides.filter((side) => side !== "synod");
  const rows = [[bench.name, "unit", ...sides, ...others.map((side) => `synod/${side}`)]];
  for (const { name, title } of variants) {
    const ratios = others.map((side) => formatted(ratioTo(result.sides, side, name)));
    rows.push([title, bench.unit, ...mediansOf(result, sides, name), ...ratios]);
    for (const detail of detailsOf(result, name)) {
      const key = detailName(name, detail);
      rows.push([`  ${detail}`, unitOf(result, key), ...mediansOf(result, sides, key), ...others.map(() => "")]);
    }
  }
  return aligned(rows);
}

export function formatted(value: number | undefined): string {
  return value === undefined ? "-" : value.toLocaleString("en", { maximumSignificantDigits: value < 1_000 ? 3 : 15 });
}

function mediansOf(result: Result, sides: readonly string[], name: string): string[] {
  return sides.map((side) => {
    const all = result.sides[side] ?? {};
    return `${formatted(all[name]?.median)}${doubtOf(all, name) ? doubtMark : ""}`;
  });
}

/** The details that any side has for a variant, in the order in which they come. */
function detailsOf(result: Result, variant: string): string[] {
  const prefix = detailName(variant, "");
  const names = Object.values(result.sides).flatMap((side) => Object.keys(side));
  return [...new Set(names)].filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
}

function unitOf(result: Result, name: string): string {
  const series = Object.values(result.sides).flatMap((side): Series[] => (side[name] ? [side[name]] : []));
  return series[0]?.unit ?? "";
}

/** Texts to the left, numbers to the right. */
function aligned(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const cell = (text: string, column: number): string =>
    column < 2 ? text.padEnd(widths[column]!) : text.padStart(widths[column]!);
  return rows.map((row) => row.map(cell).join("  ").trimEnd()).join("\n");
}
