/** The result of a bench: samples and medians of every side and variant, how Synod compares, and what it ran on. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { machine as architecture, availableParallelism, cpus, loadavg, release, totalmem, type } from "node:os";
import { join } from "node:path";
import type { Bench } from "./bench.ts";
import type { TakenRun } from "./turns.ts";

/** What was measured one or more times. */
export interface Series {
  readonly unit: string;
  readonly samples: readonly number[];
  readonly median: number;
  /** What makes it not to be quoted, in a sentence. Of a variant, and so of what stands beside it. */
  readonly doubt?: string;
  /** When and how, if the side was not measured with the others of the variant but kept from before. */
  readonly taken?: Taken;
}

/** What the samples depend on besides the code. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly system: string;
  readonly node: string;
  /** How many programs wanted a processor in the minute before the first run: above 0 others were at work. */
  readonly loadBefore: number;
}

export interface Taken {
  /** As in `2026-11-22`. */
  readonly date: string;
  readonly commit: string;
  readonly secondsPerRun: number;
  readonly loadBefore: number;
  /** What each side did before its first run; not known of what was saved before it was kept. */
  readonly warmUpSeconds?: number;
  /** What it ran on; where it is missing, the result's machine. */
  readonly processor?: string;
  readonly cores?: number;
}

export interface Result {
  readonly bench: string;
  readonly machine: Machine;
  /** The commit, with `-dirty` when files differed from it. */
  readonly commit: string;
  /** By variant: when and how it was measured, as not all of them need have been measured in one run of the bench. */
  readonly taken: Readonly<Record<string, Taken>>;
  /** By side, then by variant; what helps to understand a variant stands beside it as `VARIANT: DETAIL`. */
  readonly sides: Readonly<Record<string, Readonly<Record<string, Series>>>>;
  /** By side: Synod's median divided by the side's, at the main variant. Empty when that was not measured. */
  readonly ratios: Readonly<Record<string, number>>;
}

export function resultOf(
  bench: Bench,
  machine: Machine,
  commit: string,
  runs: readonly TakenRun[],
  lasting: Pick<Taken, "secondsPerRun" | "warmUpSeconds">,
): Result {
  const { processor, cores, loadBefore } = machine;
  const now = { date: new Date().toISOString().slice(0, 10), commit, ...lasting, loadBefore, processor, cores };
  const taken = Object.fromEntries(runs.map(({ variant }) => [variant.name, now]));
  const sides = Object.fromEntries(Object.keys(bench.sides).map((side) => [side, seriesOf(bench, side, runs)]));
  return { bench: bench.name, machine, commit, taken, sides, ratios: ratiosOf(bench, sides) };
}

function ratiosOf(bench: Bench, sides: Result["sides"]): Record<string, number> {
  const others = Object.keys(sides).filter((side) => side !== "synod");
  const ratios = others.flatMap((side) => {
    const ratio = ratioTo(sides, side, bench.mainVariant);
    return ratio === undefined ? [] : [[side, ratio] as const];
  });
  return Object.fromEntries(ratios);
}

/**
 * The result, with what an earlier one has of variants and of sides that were not measured now. What is kept beside a
 * variant that was measured now says when it was taken.
 */
export function keeping(bench: Bench, saved: Result, result: Result): Result {
  const earlier = sayingMachine(saved);
  const kept = Object.keys(earlier.taken).filter((variant) => result.taken[variant] === undefined);
  const names = new Set([...Object.keys(result.sides), ...Object.keys(earlier.sides)]);
  const sides = Object.fromEntries(
    [...names].map((side) => {
      const old = Object.entries(earlier.sides[side] ?? {}).flatMap(([name, series]) => {
        const variant = variantOf(name);
        if (result.taken[variant] === undefined) return [[name, series] as const];
        const taken = series.taken ?? earlier.taken[variant];
        return result.sides[side] === undefined && taken !== undefined ? [[name, { ...series, taken }] as const] : [];
      });
      return [side, { ...Object.fromEntries(old), ...result.sides[side] }];
    }),
  );
  const taken = { ...Object.fromEntries(kept.map((variant) => [variant, earlier.taken[variant]!])), ...result.taken };
  return { ...result, taken, sides, ratios: ratiosOf(bench, sides) };
}

/** A result beside which another machine may stand: everything in it says what it ran on. */
function sayingMachine(result: Result): Result {
  const { processor, cores } = result.machine;
  const said = (taken: Taken): Taken => ({
    ...taken,
    processor: taken.processor ?? processor,
    cores: taken.cores ?? cores,
  });
  const all = (series: Readonly<Record<string, Series>>): Record<string, Series> =>
    mapped(series, (one) => (one.taken === undefined ? one : { ...one, taken: said(one.taken) }));
  return { ...result, taken: mapped(result.taken, said), sides: mapped(result.sides, all) };
}

function mapped<T>(values: Readonly<Record<string, T>>, to: (value: T) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, to(value)]));
}

/** What was saved before; undefined when there is none, or one of a form that does not say when it was taken. */
export function readResult(folder: string, bench: string): Result | undefined {
  const path = join(folder, `${bench}.json`);
  if (!existsSync(path)) return undefined;
  const result = JSON.parse(readFileSync(path, "utf8")) as Result;
  return result.taken === undefined ? undefined : result;
}

/** What makes a series doubtful, or the variant that it stands beside. */
export function doubtOf(all: Readonly<Record<string, Series>>, name: string): string | undefined {
  return all[variantOf(name)]?.doubt;
}

/** A sentence for each side and variant that is doubtful. */
export function doubtsOf({ sides }: Result, variants: readonly { readonly name: string }[]): readonly string[] {
  return Object.entries(sides).flatMap(([side, all]) =>
    variants.flatMap(({ name }) => (all[name]?.doubt === undefined ? [] : [`${side} ${name}: ${all[name].doubt}`])),
  );
}

/** Synod's median divided by that of a side; nothing is compared with what is doubtful. */
export function ratioTo(sides: Result["sides"], side: string, variant: string): number | undefined {
  const own = sides.synod?.[variant];
  const other = sides[side]?.[variant];
  if (own === undefined || other === undefined) return undefined;
  return (own.doubt ?? other.doubt) ? undefined : rounded(own.median / other.median);
}

/** The name under which a detail of a variant is kept. */
export function detailName(variant: string, detail: string): string {
  return `${variant}: ${detail}`;
}

/** When and how a series was measured, and on what, by its name. */
export function takenOf(result: Result, name: string, series: Series | undefined): Taken | undefined {
  const taken = series?.taken ?? result.taken[variantOf(name)];
  const { processor, cores } = result.machine;
  return taken && { processor, cores, ...taken };
}

/** The variant that a name of a series belongs to. */
function variantOf(name: string): string {
  return name.split(detailName("", ""), 1)[0]!;
}

function seriesOf(bench: Bench, side: string, runs: readonly TakenRun[]): Record<string, Series> {
  const samples = new Map<string, { unit: string; values: number[] }>();
  const add = (name: string, unit: string, value: number): void => {
    const series = samples.get(name) ?? { unit, values: [] };
    series.values.push(rounded(value));
    samples.set(name, series);
  };
  for (const { variant, measured } of runs.filter((run) => run.side === side)) {
    add(variant.name, bench.unit, measured.value);
    for (const { name, unit, value } of measured.details) add(detailName(variant.name, name), unit, value);
  }
  return Object.fromEntries(
    [...samples].map(([name, { unit, values }]) => {
      const doubt = doubtWords(runs.filter((run) => run.side === side && run.variant.name === name));
      return [name, { unit, samples: values, median: medianOf(values), ...(doubt && { doubt }) }];
    }),
  );
}

/** A median is as doubtful as any of the runs that it is taken of. */
function doubtWords(runs: readonly TakenRun[]): string | undefined {
  const doubts = runs.flatMap(({ measured }) => measured.doubt ?? []);
  if (doubts.length === 0) return undefined;
  const words = [...new Set(doubts)].join("; ");
  return runs.length === 1 ? words : `in ${doubts.length} of ${runs.length} runs: ${words}`;
}

export function medianOf(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const below = sorted[Math.ceil(middle) - 1];
  const above = sorted[Math.floor(middle)];
  if (below === undefined || above === undefined) throw new Error("there is no median of nothing");
  return rounded((below + above) / 2);
}

/** Four digits: more would be noise. */
function rounded(value: number): number {
  return Math.abs(value) >= 1_000 ? Math.round(value) : Number(value.toPrecision(4));
}

export function thisMachine(): Machine {
  return {
    processor: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()} ${architecture()}`,
    node: process.versions.node,
    loadBefore: rounded(loadavg()[0] ?? 0),
  };
}

export function currentCommit(folder: string): string {
  try {
    return execFileSync("git", ["describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"], {
      cwd: folder,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return "unknown";
  }
}

/** Answers where it was saved. */
export function saveResult(folder: string, result: Result): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${result.bench}.json`);
  writeFileSync(path, `${jsonOf(result)}\n`);
  return path;
}

export function savePicture(folder: string, name: string, svg: string): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  writeFileSync(path, svg);
  return path;
}

/** With every list of samples on one line. */
function jsonOf(result: Result): string {
  const text = JSON.stringify(result, null, 2);
  return text.replaceAll(/\[[\d.,\s-]*\]/g, (list) =>
    list.replaceAll(/\s+/g, " ").replace("[ ", "[").replace(" ]", "]"),
  );
}
