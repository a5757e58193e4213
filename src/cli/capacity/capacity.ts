/** `synod capacity`: finds the highest load that a system carries, and what it does beyond it. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { capacityOf } from "../../capacity/capacity.ts";
import { parseObjective } from "../../capacity/objective.ts";
import { pageOf, picturesOf } from "../../capacity/page.ts";
import { leaveToLoad, leftToSystem, nodesCarriedBy } from "../../capacity/processors.ts";
import type { CapacityReport } from "../../capacity/report.ts";
import { crowdWords, headlineOf, ms, rate, sentencesOf } from "../../capacity/words.ts";
import { loadScenario } from "../../simulation/scenario-file.ts";
import { parseDuration } from "../../values/durations.ts";
import { UsageError } from "../exit.ts";
import { headersFrom } from "../header-option.ts";
import { table } from "../table.ts";
import { TrialProgress } from "./progress.ts";
import { runningAt, startedFrom } from "./systems.ts";

export interface CapacityCommandOptions {
  readonly slo: string;
  readonly scenario?: string;
  readonly nodes?: readonly number[];
  readonly store?: string;
  readonly trial: string;
  readonly timeout: string;
  readonly from: number;
  readonly atMost: number;
  readonly keys: number;
  readonly loadProcesses: number;
  readonly runs: number;
  readonly header: readonly string[];
  readonly curve: boolean;
  readonly compare: boolean;
  readonly json: boolean;
  readonly html?: string;
  readonly pictures?: string;
}

const trialMinMs = 200;

export async function capacity(target: string, options: CapacityCommandOptions): Promise<void> {
  const url = /^https?:\/\//.test(target) ? new URL(target) : undefined;
  if (url && (options.nodes || options.compare || options.store)) {
    throw new UsageError(
      "--nodes, --store and --compare need a system that this command starts itself: give its file instead of a URL.",
    );
  }
  const trialMs = parseDuration(options.trial, "--trial");
  if (trialMs < trialMinMs) throw new UsageError(`A trial counts for at least ${trialMinMs} ms: give --trial 5s, say.`);
  const progress = new TrialProgress();
  const scenario = options.scenario === undefined ? undefined : await loadScenario(options.scenario);
  // Those of a system that runs already are not this command's to choose.
  const division = url ? undefined : leaveToLoad(options.loadProcesses);
  const nodes = url ? [] : nodesFor(options, leftToSystem(division, options.loadProcesses), progress);
  const report = await capacityOf({
    start: (arrangement) =>
      url
        ? runningAt(url)
        : startedFrom(target, options.store, arrangement, { sharesProcessors: division === undefined }),
    objective: parseObjective(options.slo),
    trialMs,
    timeoutMs: parseDuration(options.timeout, "--timeout"),
    firstPerSecond: options.from,
    perSecondMax: options.atMost,
    loadProcesses: options.loadProcesses,
    division,
    runs: options.runs,
    keys: options.keys,
    headers: headersFrom(options.header),
    ...(scenario && { work: scenario.workload }),
    curve: options.curve,
    compare: options.compare,
    nodes,
    onStage: (words) => progress.stage(words),
    onOffer: (phase, perSecond) => progress.offering(phase, perSecond),
    onTrial: (record) => progress.trial(record),
  });
  progress.end();
  if (options.html !== undefined) await writeFile(options.html, pageOf(report));
  if (options.pictures !== undefined) await writePictures(options.pictures, report);
  process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : summaryOf(report));
}

/** As many as the processors carry unless the user wants to know of others, who is told what that means. */
function nodesFor({ nodes }: CapacityCommandOptions, processors: number, progress: TrialProgress): readonly number[] {
  if (nodes === undefined) {
    const carried = nodesCarriedBy(processors);
    progress.note(
      `${carried === 1 ? "One node" : `${carried} nodes`}: one for each processor that the load leaves to the system, at most three (--nodes).`,
    );
    return [carried];
  }
  const crowd = crowdWords(nodes.at(-1), processors);
  if (crowd !== undefined) progress.note(crowd);
  return nodes;
}

async function writePictures(folder: string, report: CapacityReport): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [name, picture] of Object.entries(picturesOf(report))) {
    await writeFile(join(folder, `capacity-${name}.svg`), picture);
  }
}

function summaryOf(report: CapacityReport): string {
  const rows = report.curve.map((point) => [
    rate(point.offeredPerSecond),
    rate(point.goodputPerSecond),
    rate(point.shedPerSecond),
    ms(point.p50Ms),
    ms(point.p99Ms),
    point.counts ? "" : "load late",
  ]);
  const curve =
    rows.length === 0 ? "" : `\n${table(["offered/s", "goodput/s", "turned away/s", "p50", "p99", ""], rows)}`;
  const sentences = sentencesOf(report).map((words) => `  ${words}\n`);
  return `${headlineOf(report)}\n${sentences.join("")}${curve}`;
}
