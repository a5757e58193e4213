/**
 * A campaign: many seeds of one scenario on several workers, until all are done, the time is up or one has failed.
 * Which worker runs a seed makes no difference to its result.
 */
import { SynodError, toSynodError } from "../errors.ts";
import type { Mark } from "../values/marks.ts";
import type { RunResult } from "./simulate.ts";
import { startWorker } from "./worker-thread.ts";

export interface CampaignOptions {
  readonly file: string;
  readonly firstSeed: number;
  readonly seeds: number;
  readonly workers: number;
  /** Real time after which no further seed is begun, ms. */
  readonly timeMaxMs?: number | undefined;
  readonly mutation?: string | undefined;
  readonly onResult?: (result: RunResult, report: CampaignReport) => void;
}

/** What a campaign has done, as far as it has come. */
export interface CampaignReport {
  runs: number;
  simulatedMs: number;
  events: number;
  commits: number;
  checks: number;
  readonly operations: { ok: number; fail: number; info: number };
  /** How often each kind of fault was injected. */
  readonly faults: Record<string, number>;
  /** How often each rare branch of the runtime was reached. */
  readonly marks: Partial<Record<Mark, number>>;
  /** The run of the lowest seed that broke a promise. */
  failure: RunResult | undefined;
}

/** Memory that a worker may take before another one takes its place: user modules are never collected. */
const runsPerWorkerMax = 2_000;

export async function runCampaign(options: CampaignOptions): Promise<CampaignReport> {
  const report: CampaignReport = {
    runs: 0,
    simulatedMs: 0,
    events: 0,
    commits: 0,
    checks: 0,
    operations: { ok: 0, fail: 0, info: 0 },
    faults: {},
    marks: {},
    failure: undefined,
  };
  const end = options.firstSeed + options.seeds;
  const startedAt = performance.now();
  let next = options.firstSeed;
  const nextSeed = (): number | undefined => {
    const late = options.timeMaxMs !== undefined && performance.now() - startedAt > options.timeMaxMs;
    return next >= end || late || report.failure !== undefined ? undefined : next++;
  };
  const onResult = (result: RunResult): void => {
    add(report, result);
    options.onResult?.(result, report);
  };
  const workers = Math.max(1, Math.min(options.workers, options.seeds));
  await Promise.all(Array.from({ length: workers }, () => work(options, nextSeed, onResult)));
  return report;
}

/** One place for a worker, taken by one after the other. */
async function work(
  options: CampaignOptions,
  nextSeed: () => number | undefined,
  onResult: (result: RunResult) => void,
): Promise<void> {
  while (await runWorker(options, nextSeed, onResult)) {
    // Another worker takes its place.
  }
}

/** Resolves with whether there may be more to do. */
function runWorker(
  { file, mutation }: CampaignOptions,
  nextSeed: () => number | undefined,
  onResult: (result: RunResult) => void,
): Promise<boolean> {
  const worker = startWorker({ file, mutation });
  let runs = 0;
  return new Promise((resolve, reject) => {
    // Ending it on purpose looks like any other end to whoever hears of it.
    const end = (more: boolean): void => {
      worker.removeAllListeners("exit");
      void worker.terminate().then(() => resolve(more), reject);
    };
    worker.on("error", (error) => reject(toSynodError(error, "not-happened")));
    worker.on("exit", (code) => reject(new SynodError("internal", `a worker ended with code ${code}`)));
    worker.on("message", (message: RunResult | "ready") => {
      if (message !== "ready") onResult(message);
      const seed = nextSeed();
      if (seed === undefined) end(false);
      else if (runs++ >= runsPerWorkerMax) end(true);
      else worker.postMessage({ seed });
    });
  });
}

function add(report: CampaignReport, result: RunResult): void {
  report.runs++;
  report.simulatedMs += result.simulatedMs;
  report.events += result.events;
  report.commits += result.commits;
  report.checks += result.checks;
  for (const outcome of ["ok", "fail", "info"] as const) report.operations[outcome] += result.operations[outcome];
  for (const [kind, count] of Object.entries(result.faults)) report.faults[kind] = (report.faults[kind] ?? 0) + count;
  for (const [mark, count] of Object.entries(result.marks) as [Mark, number][]) {
    report.marks[mark] = (report.marks[mark] ?? 0) + count;
  }
  const lower = report.failure === undefined || result.seed < report.failure.seed;
  if (result.violations.length > 0 && lower) report.failure = result;
}
