/**
 * A campaign: many seeds of one scenario on several workers, until all are done, the time is up or one has failed.
 * Which worker runs a seed makes no difference to its result.
 */
import type { Mark } from "../values/marks.ts";
import { CaseRunner, type RunLimits } from "./case-runner.ts";
import type { Reachable } from "./reached.ts";
import type { RunResult } from "./simulate.ts";

export interface CampaignOptions extends RunLimits {
  readonly file: string;
  readonly firstSeed: number;
  readonly seeds: number;
  readonly workers: number;
  /** Real time after which no further seed is begun, ms. */
  readonly timeMaxMs?: number | undefined;
  readonly mutation?: string | undefined;
  readonly onResult?: (result: RunResult, report: CampaignReport) => void;
  /** Kept up to date with the seeds that are being run, for whoever stops the campaign. */
  readonly underWay?: Set<number>;
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
  /** How often faults brought about what they are meant to. */
  readonly reached: Record<Reachable, number>;
  /** The run of the lowest seed that broke a promise. */
  failure: RunResult | undefined;
  /** The lowest seed whose run came to no result. */
  lost: LostRun | undefined;
}

/** A run whose worker ended by itself, or that did not end. */
export interface LostRun {
  readonly seed: number;
  readonly reason: string;
}

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
    reached: { otherCode: 0, otherPath: 0, outlived: 0 },
    failure: undefined,
    lost: undefined,
  };
  const end = options.firstSeed + options.seeds;
  const startedAt = performance.now();
  let next = options.firstSeed;
  const nextSeed = (): number | undefined => {
    const late = options.timeMaxMs !== undefined && performance.now() - startedAt > options.timeMaxMs;
    const over = report.failure !== undefined || report.lost !== undefined;
    return next >= end || late || over ? undefined : next++;
  };
  const onResult = (result: RunResult): void => {
    add(report, result);
    options.onResult?.(result, report);
  };
  const workers = Math.max(1, Math.min(options.workers, options.seeds));
  await using runner = new CaseRunner({ file: options.file, mutation: options.mutation }, workers, options);
  const { underWay = new Set() } = options;
  const work = async (): Promise<void> => {
    for (let seed = nextSeed(); seed !== undefined; seed = nextSeed()) {
      underWay.add(seed);
      // Its end is not that of the others: what they find, or have found, is told.
      const result = await runner.run({ seed }).catch((error: unknown) => lose(report, seed, error));
      underWay.delete(seed);
      if (result !== undefined) onResult(result);
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  return report;
}

function lose(report: CampaignReport, seed: number, error: unknown): undefined {
  if (report.lost !== undefined && report.lost.seed < seed) return;
  report.lost = { seed, reason: error instanceof Error ? error.message : String(error) };
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
  for (const [what, count] of Object.entries(result.reached) as [Reachable, number][]) report.reached[what] += count;
  const lower = report.failure === undefined || result.seed < report.failure.seed;
  if (result.violations.length > 0 && lower) report.failure = result;
}
