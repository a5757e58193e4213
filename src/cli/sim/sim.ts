/** `synod sim`: a system on simulated nodes, broken on purpose, seed by seed. */
import { readFile, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { relative, resolve } from "node:path";
import { explainLoadError } from "../../host/load-errors.ts";
import { type CampaignReport, runCampaign } from "../../simulation/campaign.ts";
import { type Case, type CaseOptions, caseOf, decodeCase, encodeCase } from "../../simulation/case.ts";
import { mutations } from "../../simulation/mutations.ts";
import { pageOf } from "../../simulation/report/page.ts";
import { regressionTestOf } from "../../simulation/report/regression-test.ts";
import { storyOf } from "../../simulation/report/story.ts";
import { timelineOf } from "../../simulation/report/timeline.ts";
import type { Scenario } from "../../simulation/scenario.ts";
import { loadScenario, ScenarioFileError } from "../../simulation/scenario-file.ts";
import { type Failure, failureOf } from "../../simulation/shrink/shrink.ts";
import { type RunResult, simulate } from "../../simulation/simulate.ts";
import { replaceSurroundings } from "../../simulation/user-code/install.ts";
import { formatTraceLine } from "../../simulation/world/trace.ts";
import { exitCodes, UsageError } from "../exit.ts";
import { beforeInterrupt } from "./interrupted.ts";
import { Progress } from "./progress.ts";
import { shrunk } from "./shrunk.ts";
import {
  type Replay,
  replayLine,
  wordsOfFailure,
  wordsOfLost,
  wordsOfNoCase,
  wordsOfReport,
  wordsOfShrunk,
} from "./words.ts";

export interface SimOptions {
  readonly seeds: number;
  readonly seed?: number;
  /** A case: the file that it was saved to, or the word that stands for it. */
  readonly only?: string;
  readonly minutes?: number;
  readonly workers?: number;
  readonly trace?: "part" | "full" | "lines" | true;
  readonly html?: string;
  /** How long a failure may take to be made small, s. */
  readonly shrink?: number;
  readonly save?: string;
  readonly json: boolean;
  readonly mutation?: string;
}

/** How long a failure of a campaign may take to be made small when nobody says it, s. */
const shrinkDefaultS = 60;

export async function sim(file: string, options: SimOptions): Promise<number> {
  const { seed, only, mutation, save } = options;
  if (mutation !== undefined && !mutations.some(({ name }) => name === mutation)) {
    throw new UsageError(`There is no mutation ${mutation}, only ${mutations.map(({ name }) => name).join(", ")}.`);
  }
  if (mutation !== undefined && save?.endsWith(".ts") === true) {
    throw new UsageError("A test of a mutation cannot be saved: without the mutation it finds nothing.");
  }
  if (seed !== undefined && only !== undefined) throw new UsageError("Give --seed or --only, not both.");
  // For the workers too, which are threads of this process: they tell the time of its zone.
  const giveBack = replaceSurroundings();
  try {
    const scenario = await loadScenario(file).catch((thrown: unknown) => {
      throw explainScenarioError(resolve(file), thrown);
    });
    if (only !== undefined) return await one(file, scenario, { ...options, shrink: 0 }, await readCase(only));
    if (seed !== undefined) return await one(file, scenario, options, { seed });
    return await many(file, scenario, options);
  } finally {
    giveBack();
  }
}

/** What is wrong with the file itself is a sentence already. */
function explainScenarioError(file: string, thrown: unknown): unknown {
  return thrown instanceof ScenarioFileError ? thrown : explainLoadError(file, thrown);
}

async function readCase(only: string): Promise<Case> {
  if (only.startsWith("~")) return decodeCase(only, "the word after --only");
  const text = await readFile(only, "utf8").catch((cause: unknown) => {
    throw new UsageError(
      `--only takes a file that --save has written, or a word that begins with ~; ${only} cannot be read.`,
      { cause },
    );
  });
  return decodeCase(text, only);
}

/** One run: nothing of it is made small unless that is asked for. */
async function one(file: string, scenario: Scenario, options: SimOptions, what: CaseOptions): Promise<number> {
  const mutation = mutations.find(({ name }) => name === options.mutation);
  const result = await simulate({ ...what, scenario, keepTrace: wantsTrace(options), ...(mutation && { mutation }) });
  const replay: Replay = { file, mutation: options.mutation, only: options.only };
  const asked = options.shrink ?? (options.save === undefined ? 0 : shrinkDefaultS);
  const failed = result.violations.length > 0;
  if (failed) tellAtOnce(wordsOfFailure(result, replay), options);
  const wanted = asked > 0 || options.save !== undefined || options.json;
  const small = wanted ? await smallest(file, result, what, scenario, { ...options, shrink: asked }) : undefined;
  if (options.json) print(JSON.stringify({ ...withoutTrace(result), shrunk: small?.case }));
  else {
    if (!failed) print(`${nameOf(what)}: nothing found`);
    else if (wanted && small === undefined) print(wordsOfNoCase);
    if (small !== undefined && asked > 0) print(wordsOfShrunk(small, result, replay));
  }
  await show(result, options, replay);
  if (!options.json) print(`  trace ${result.digest}`);
  await keep(file, small, options);
  return failed ? exitCodes.failed : exitCodes.done;
}

async function many(file: string, scenario: Scenario, options: SimOptions): Promise<number> {
  const startedAt = performance.now();
  const replay: Replay = { file, mutation: options.mutation, only: undefined };
  const report = await campaign(options, replay);
  const tookMs = performance.now() - startedAt;
  const { failure, lost } = report;
  const failed = failure !== undefined || lost !== undefined;
  if (failed) tellAtOnce(wordsOfEnd(report, replay).join("\n"), options);
  else if (!options.json) print(`nothing found in ${report.runs} runs`);
  const small = failure && (await smallest(file, failure, { seed: failure.seed }, scenario, options));
  if (options.json) {
    print(
      JSON.stringify({
        ...report,
        unasked: scenario.unasked,
        failure: withoutTrace(failure),
        shrunk: small?.case,
        tookMs: Math.round(tookMs),
      }),
    );
  } else {
    if (failure) print(small ? wordsOfShrunk(small, failure, replay) : wordsOfNoCase);
    print(wordsOfReport(report, tookMs, scenario.unasked));
  }
  if (failure) await showAgain(small?.case ?? { seed: failure.seed }, scenario, { ...options, file });
  await keep(file, small, options);
  return failed ? exitCodes.failed : exitCodes.done;
}

/** Runs the seeds, with progress. */
async function campaign(options: SimOptions, replay: Replay): Promise<CampaignReport> {
  const startedAt = performance.now();
  const progress = new Progress(options.json);
  const underWay = new Set<number>();
  let latest: CampaignReport | undefined;
  using _interrupt = beforeInterrupt(() => {
    for (const words of latest === undefined ? [] : wordsOfEnd(latest, replay)) progress.note(words);
    progress.note(`under way when it was stopped: ${[...underWay].map((seed) => `seed ${seed}`).join(", ")}`);
  });
  const report = await runCampaign({
    file: replay.file,
    firstSeed: 1,
    seeds: options.seeds,
    workers: workersOf(options),
    timeMaxMs: options.minutes === undefined ? undefined : options.minutes * 60_000,
    mutation: options.mutation,
    underWay,
    onLong: (seed, ms) => progress.ofLongRun(seed, ms),
    onResult: (_result, soFar) => {
      latest = soFar;
      progress.ofCampaign(soFar, options.seeds, performance.now() - startedAt);
    },
  });
  progress.end();
  return report;
}

/** What a campaign has ended at, or will. */
function wordsOfEnd({ failure, lost }: CampaignReport, replay: Replay): string[] {
  return [...(failure ? [wordsOfFailure(failure, replay)] : []), ...(lost ? [wordsOfLost(lost, replay)] : [])];
}

/** The failure with as little in it as there was time for; undefined when nothing failed, or nothing but the seed does. */
async function smallest(
  file: string,
  result: RunResult,
  what: CaseOptions,
  scenario: Scenario,
  options: SimOptions,
): Promise<Failure | undefined> {
  const [violation] = result.violations;
  if (violation === undefined) return undefined;
  const whole = caseOf(result, what, scenario.durationMs);
  const from = failureOf(whole, result, violation);
  // A case that was given was just seen to fail; what was drawn is run as a case first, however little time there is.
  if (from === undefined || what.operations !== undefined) return from;
  const seconds = options.shrink ?? shrinkDefaultS;
  return await shrunk(from, {
    file,
    mutation: options.mutation,
    workers: workersOf(options),
    timeMaxMs: seconds * 1_000,
    quiet: options.json,
  });
}

/** A campaign keeps no traces; what somebody wants to look at, the small one if there is one, is run once more. */
async function showAgain(
  what: Case | { readonly seed: number },
  scenario: Scenario,
  options: SimOptions & { readonly file: string },
): Promise<void> {
  if (!wantsTrace(options)) return;
  const mutation = mutations.find(({ name }) => name === options.mutation);
  const again = await simulate({ ...what, scenario, keepTrace: true, ...(mutation && { mutation }) });
  const only = "plan" in what ? encodeCase(what) : undefined;
  await show(again, options, { file: options.file, mutation: options.mutation, only });
}

async function show(result: RunResult, { trace, html, json }: SimOptions, replay: Replay): Promise<void> {
  if (html !== undefined) {
    await writeFile(html, pageOf(result, { name: replay.file, replay: replayLine(replay, result.seed) }));
  }
  if (trace === undefined || json) return;
  if (trace === "lines") print(result.trace.map(formatTraceLine).join("\n"));
  else print(timelineOf(storyOf(result), { full: trace === "full" }));
}

async function keep(file: string, failure: Failure | undefined, { save, json }: SimOptions): Promise<void> {
  if (save === undefined) return;
  if (failure !== undefined) {
    const isTest = save.endsWith(".ts");
    const paths = { testFile: resolve(save), file: resolve(file) };
    await writeFile(
      save,
      isTest ? regressionTestOf(failure, paths) : `${JSON.stringify(failure.case, undefined, 2)}\n`,
    );
  }
  if (!json) print(failure === undefined ? "nothing to save" : `saved ${relative(".", save) || save}`);
}

function wantsTrace({ trace, html }: SimOptions): boolean {
  return trace !== undefined || html !== undefined;
}

function workersOf({ workers }: SimOptions): number {
  return workers ?? availableParallelism();
}

function nameOf(what: CaseOptions): string {
  return what.plan === undefined ? `seed ${what.seed}` : `the case of seed ${what.seed}`;
}

function withoutTrace(result: RunResult | undefined): object | undefined {
  return result && { ...result, trace: undefined, passages: undefined, asked: undefined };
}

/** Before it is made small and files are written, which may go wrong. JSON comes as a whole, in the end. */
function tellAtOnce(text: string, { json }: SimOptions): void {
  (json ? process.stderr : process.stdout).write(`${text}\n`);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
