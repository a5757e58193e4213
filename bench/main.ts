/** `npm run bench`: measures Synod beside other programs that do the same work, on this machine, in one run. */
import { rmSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError } from "commander";
import type { Bench, Variant } from "./bench.ts";
import { benches } from "./benches.ts";
import { resultsFolder, writeFigures } from "./figures.ts";
import { installPeers } from "./peers.ts";
import {
  currentCommit,
  doubtsOf,
  keeping,
  readResult,
  resultOf,
  savePicture,
  saveResult,
  thisMachine,
} from "./result.ts";
import { doubtMark, formatted, tableOf } from "./table.ts";
import { expectedMs, type RunChoice, type TakenRun, takesPart, takeTurns } from "./turns.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

interface Options {
  readonly list: boolean;
  readonly seconds: number;
  readonly runs: number;
  readonly warmUp: number;
  readonly variant?: readonly string[];
  readonly side?: readonly string[];
  readonly results: string;
  readonly pictures: string;
  readonly cpuProfile?: string;
  readonly keep: boolean;
  readonly minutes?: number;
}

const program = new Command("npm run bench --")
  .description("Measures Synod beside other programs that do the same work: the sides take turns, in one run.")
  .argument("[name]", "which bench")
  .option("--list", "name the benches, their variants and their sides", false)
  .option("--seconds <seconds>", "how long one run counts", readPositive, 2)
  .option("--runs <runs>", "how often each side runs each variant; take 5 or more for figures to quote", readRuns, 5)
  .option("--warm-up <seconds>", "what each side does of each variant before its first run; 0 for none", readSeconds, 3)
  .option("--variant <names...>", "only these variants (default: all)")
  .option("--side <names...>", "only these sides (default: all)")
  .option("--keep", "keep what is saved of the variants and sides that are not measured now", false)
  .option("--minutes <minutes>", "begin nothing that will take longer than this", readPositive)
  .option("--results <folder>", "where NAME.json is saved", resultsFolder)
  .option("--pictures <folder>", "where its pictures are saved, if it has any", join(root, "docs"))
  .option("--cpu-profile <folder>", "where each side leaves a CPU profile of all of its runs")
  .showHelpAfterError("(add --help for more)")
  .action(async (name: string | undefined, options: Options) => {
    if (options.list) return void console.log(listOf(benches));
    const bench = benches.find((candidate) => candidate.name === name);
    if (bench === undefined) return refuse(name === undefined ? "Which bench?" : `There is no bench ${name}.`, benches);
    const variants = bench.variants.filter((variant) => options.variant?.includes(variant.name) ?? true);
    const unknown = options.variant?.find((wanted) => !variants.some((variant) => variant.name === wanted));
    if (unknown !== undefined) return refuse(`${bench.name} has no variant ${unknown}.`, bench.variants);
    const unknownSide = options.side?.find((wanted) => bench.sides[wanted] === undefined);
    const sideNames = Object.keys(bench.sides).map((side) => ({ name: side }));
    if (unknownSide !== undefined) return refuse(`${bench.name} has no side ${unknownSide}.`, sideNames);
    await measure(withSides(bench, options.side), variants, options);
  });

await program.parseAsync().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});

async function measure(bench: Bench, variants: readonly Variant[], options: Options): Promise<void> {
  const chosen = {
    runs: options.runs,
    measureMs: options.seconds * 1_000,
    warmUpMs: options.warmUp * 1_000,
    variants,
  };
  sayHowLong(bench, chosen, options.minutes);
  if (bench.peers?.some((side) => bench.sides[side] !== undefined)) installPeers();
  const machine = thisMachine();
  const commit = currentCommit(root);
  // Beside the project and not in the system's folder for temporary files, which is in memory on some machines.
  await mkdir(join(root, ".synod"), { recursive: true });
  const workFolder = await mkdtemp(join(root, ".synod", "bench-"));
  process.once("SIGINT", () => {
    rmSync(workFolder, { recursive: true, force: true });
    process.exit(130);
  });
  try {
    const turns = { ...chosen, workFolder, profileFolder: options.cpuProfile && resolve(options.cpuProfile) };
    const runs = await takeTurns(bench, turns, (run) => console.error(progressOf(bench, run, options.runs)));
    const measured = resultOf(bench, machine, commit, runs, {
      secondsPerRun: options.seconds,
      warmUpSeconds: options.warmUp,
    });
    const earlier = options.keep ? readResult(resolve(options.results), bench.name) : undefined;
    const result = earlier === undefined ? measured : keeping(bench, earlier, measured);
    console.log(`\n${tableOf(bench, variants, result)}\n`);
    console.log(
      `Medians of ${options.runs} runs of ${options.seconds} s on ${machine.cores} cores, ${machine.processor}.`,
    );
    for (const doubt of doubtsOf(result, variants)) console.log(`${doubtMark} Doubtful, not to be quoted: ${doubt}`);
    for (const gate of bench.gates?.(result) ?? []) console.log(gate);
    const saved = [saveResult(resolve(options.results), result)];
    for (const [name, svg] of Object.entries(bench.pictures?.(result) ?? {})) {
      saved.push(savePicture(resolve(options.pictures), name, svg));
    }
    if (resolve(options.results) === resultsFolder) writeFigures();
    console.log(`Saved as ${saved.map((path) => relative(process.cwd(), path)).join(", ")}.`);
  } finally {
    await rm(workFolder, { recursive: true, force: true });
  }
}

/** Ends the program if that is longer than may be. */
function sayHowLong(bench: Bench, chosen: RunChoice, minutesMax: number | undefined): void {
  const ms = expectedMs(bench, chosen);
  const sides = Object.keys(bench.sides);
  const runs = chosen.variants.reduce(
    (sum, variant) => sum + chosen.runs * sides.filter((side) => takesPart(side, variant)).length,
    0,
  );
  const words = `${runs} runs will take about ${(ms / 60_000).toFixed(1)} minutes`;
  if (minutesMax !== undefined && ms > minutesMax * 60_000) {
    const advice = "give fewer --runs, --variant or --side, or fewer --seconds";
    program.error(`${words}, more than the ${minutesMax} of --minutes: ${advice}.`, { exitCode: 2 });
  }
  console.error(`${bench.name}: ${words}.`);
}

function withSides(bench: Bench, names: readonly string[] | undefined): Bench {
  const sides = Object.entries(bench.sides).filter(([side]) => names?.includes(side) ?? true);
  return { ...bench, sides: Object.fromEntries(sides) };
}

function progressOf({ name, unit }: Bench, { side, variant, run, measured }: TakenRun, runs: number): string {
  return `${name} ${variant.name}, run ${run} of ${runs}: ${side} ${formatted(Math.round(measured.value))} ${unit}`;
}

function listOf(all: readonly Bench[]): string {
  return all
    .flatMap(({ name, summary, variants, mainVariant, sides }) => [
      `${name}: ${summary}`,
      `  sides: ${Object.keys(sides).join(", ")}`,
      ...variants.map((variant) => {
        const main = variant.name === mainVariant ? " (sides are compared by this one)" : "";
        return `  ${variant.name}: ${variant.title}${main}`;
      }),
    ])
    .join("\n");
}

function refuse(sentence: string, choice: readonly { readonly name: string }[]): never {
  return program.error(`${sentence} There are: ${choice.map(({ name }) => name).join(", ")}.`, { exitCode: 2 });
}

function readPositive(text: string): number {
  const seconds = readSeconds(text);
  if (seconds === 0) throw new InvalidArgumentError("Give more than 0 seconds.");
  return seconds;
}

function readSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() === "" || !(seconds >= 0 && seconds <= 600)) {
    throw new InvalidArgumentError("Give seconds, at most 600.");
  }
  return seconds;
}

function readRuns(text: string): number {
  const runs = Number(text);
  if (!(Number.isInteger(runs) && runs >= 1 && runs <= 1_000)) throw new InvalidArgumentError("Give 1 or more.");
  return runs;
}
