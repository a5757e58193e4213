/** `synod sim`: a system on simulated nodes, broken on purpose, seed by seed. */
import { availableParallelism } from "node:os";
import { type CampaignReport, runCampaign } from "../simulation/campaign.ts";
import { faultKinds } from "../simulation/faults.ts";
import { mutations } from "../simulation/mutations.ts";
import { loadScenario } from "../simulation/scenario-file.ts";
import { type RunResult, simulate } from "../simulation/simulate.ts";
import { formatTraceLine } from "../simulation/world/trace.ts";
import { exitCodes, UsageError } from "./exit.ts";

export interface SimOptions {
  readonly seeds: number;
  readonly seed?: number;
  readonly minutes?: number;
  readonly workers?: number;
  readonly trace: boolean;
  readonly json: boolean;
  readonly mutation?: string;
}

/** How often the progress line is written, ms. */
const progressMs = 500;

export async function sim(file: string, options: SimOptions): Promise<number> {
  if (options.mutation !== undefined && !mutations.some(({ name }) => name === options.mutation)) {
    throw new UsageError(
      `There is no mutation ${options.mutation}, only ${mutations.map(({ name }) => name).join(", ")}.`,
    );
  }
  return options.seed === undefined ? await many(file, options) : await one(file, options.seed, options);
}

async function one(file: string, seed: number, options: SimOptions): Promise<number> {
  const mutation = mutations.find(({ name }) => name === options.mutation);
  const scenario = await loadScenario(file);
  const result = await simulate({ scenario, seed, keepTrace: options.trace, ...(mutation && { mutation }) });
  if (options.trace) await print(timelineOf(result));
  if (options.json) await print(JSON.stringify({ ...result, trace: undefined }));
  else {
    await print(result.violations.length === 0 ? `seed ${seed}: nothing found` : wordsOfFailure(file, result, options));
    await print(`  trace ${result.digest}`);
  }
  return result.violations.length === 0 ? exitCodes.done : exitCodes.failed;
}

async function many(file: string, options: SimOptions): Promise<number> {
  await loadScenario(file);
  const startedAt = performance.now();
  let written = 0;
  const report = await runCampaign({
    file,
    firstSeed: 1,
    seeds: options.seeds,
    workers: options.workers ?? availableParallelism(),
    timeMaxMs: options.minutes === undefined ? undefined : options.minutes * 60_000,
    mutation: options.mutation,
    onResult: (_result, soFar) => {
      if (!process.stderr.isTTY || performance.now() - written < progressMs) return;
      written = performance.now();
      process.stderr.write(`\r${progressOf(soFar, options.seeds, performance.now() - startedAt)}\u001b[K`);
    },
  });
  if (process.stderr.isTTY) process.stderr.write("\r\u001b[K");
  const ms = performance.now() - startedAt;
  if (options.json)
    await print(JSON.stringify({ ...report, failure: withoutTrace(report.failure), tookMs: Math.round(ms) }));
  else {
    if (report.failure !== undefined) await print(wordsOfFailure(file, report.failure, options));
    else await print(`nothing found in ${report.runs} runs`);
    await print(wordsOfReport(report, ms));
  }
  return report.failure === undefined ? exitCodes.done : exitCodes.failed;
}

function progressOf(report: CampaignReport, seeds: number, ms: number): string {
  const faults = Object.values(report.faults).reduce((sum, count) => sum + count, 0);
  const rate = (report.runs / (ms / 1_000)).toFixed(1);
  return `${report.runs} of ${seeds} runs, ${rate} runs/s, ${duration(report.simulatedMs)} simulated, ${faults} faults`;
}

function wordsOfReport(report: CampaignReport, ms: number): string {
  const { operations, faults } = report;
  const injected = Object.entries(faults).sort(([, a], [, b]) => b - a);
  const never = faultKinds.filter((kind) => faults[kind] === undefined);
  return [
    `  simulated   ${duration(report.simulatedMs)} in ${duration(ms)}, ${(report.runs / (ms / 1_000)).toFixed(1)} runs/s`,
    `  operations  ${operations.ok} answered, ${operations.fail} did not happen, ${operations.info} unknown`,
    `  checked     ${report.checks} answers, ${report.commits} commits`,
    `  faults      ${injected.map(([kind, count]) => `${kind} ${count}`).join(", ") || "none"}`,
    ...(never.length > 0 ? [`  never       ${never.join(", ")}`] : []),
  ].join("\n");
}

function wordsOfFailure(file: string, { seed, violations }: RunResult, { mutation }: SimOptions): string {
  const [first] = violations;
  const defect = mutation === undefined ? "" : ` --mutation ${mutation}`;
  return [
    `seed ${seed} breaks a promise: ${first?.promise}, after ${duration(first?.at ?? 0)}`,
    ...(first?.text ?? "").split("\n").map((line) => `  ${line}`),
    `replay it: synod sim ${file} --seed ${seed}${defect} --trace`,
  ].join("\n");
}

function timelineOf({ trace }: RunResult): string {
  return trace.map((line) => `${line.what === "violation" ? ">>> " : ""}${formatTraceLine(line)}`).join("\n");
}

function withoutTrace(result: RunResult | undefined): unknown {
  return result && { ...result, trace: undefined };
}

function duration(ms: number): string {
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 600_000) return `${Math.round(ms / 1_000)} s`;
  return ms < 36_000_000 ? `${Math.round(ms / 60_000)} min` : `${(ms / 3_600_000).toFixed(1)} h`;
}

/** Resolves when the text is out: a trace is more than a pipe takes at once. */
function print(text: string): Promise<void> {
  return new Promise((resolve) => process.stdout.write(`${text}\n`, () => resolve()));
}
