/**
 * Finds the capacity of a system: the whole of `synod capacity` but for starting systems and printing. Whoever runs it
 * gives a way to start the system with so many nodes, with and without load control, or one that runs already.
 */
import { cpus, loadavg, totalmem } from "node:os";
import type { Work } from "./asks.ts";
import { type FinderOptions, type Found, findCapacity, measureCurve, type TrialRecord } from "./finder.ts";
import { Load } from "./load/load.ts";
import type { Objective } from "./objective.ts";
import type { Division } from "./processors.ts";
import type { ReadMeters } from "./readings.ts";
import { type CapacityReport, namedBottleneck, pointOf, trialReportOf } from "./report.ts";
import { fitScalability, type ScalePoint } from "./scalability.ts";
import { prepareWorkload, type Workload } from "./workload.ts";

/** A system that runs. */
export interface RunningSystem extends AsyncDisposable {
  readonly name: string;
  readonly url: URL;
  /** How many nodes it has, if that is known. */
  readonly nodes: number | undefined;
  /** Whether it runs on this machine. */
  readonly sameMachine: boolean;
  readonly readMeters: ReadMeters;
}

export interface Arrangement {
  /** As the user's command says when absent. */
  readonly nodes?: number;
  /** Whether load control is on. */
  readonly shedding: boolean;
}

export interface CapacityOptions {
  readonly start: (arrangement: Arrangement) => Promise<RunningSystem>;
  readonly objective: Objective;
  readonly trialMs: number;
  readonly timeoutMs: number;
  readonly firstPerSecond: number;
  /** No load above it is offered, calls/s. */
  readonly perSecondMax: number;
  readonly loadProcesses: number;
  /** Who keeps to which processors, where load and system do not share them. */
  readonly division?: Division | undefined;
  /** How often the capacity is searched for, each time on a system that is started anew. */
  readonly runs: number;
  readonly keys: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly work?: Work;
  /** Whether loads beyond the capacity are offered, too. */
  readonly curve: boolean;
  /** Whether the same is offered with load control off. */
  readonly compare: boolean;
  /** Numbers of nodes of which the capacity is found. */
  readonly nodes: readonly number[];
  readonly onStage: (words: string) => void;
  readonly onOffer: FinderOptions["onOffer"];
  readonly onTrial: FinderOptions["onTrial"];
}

interface Stage {
  readonly system: Omit<RunningSystem, typeof Symbol.asyncDispose>;
  readonly workload: Workload;
  readonly finder: FinderOptions;
}

export async function capacityOf(options: CapacityOptions): Promise<CapacityReport> {
  const loadAverage = loadavg()[0]!;
  const most = options.nodes.at(-1);
  const arrangement = { shedding: true, ...(most !== undefined && { nodes: most }) };
  const before: Found[] = [];
  while (before.length < options.runs - 1) {
    before.push(await staged(options, arrangement, ({ finder }) => findCapacity(finder)));
  }
  const main = await staged(options, arrangement, async (stage) => {
    const all = [...before, await findCapacity(stage.finder)];
    const found = middleOf(all);
    const points =
      options.curve && found.result.perSecond > 0 ? await measureCurve(stage.finder, found.result.perSecond) : [];
    return { stage, all, found, points };
  });
  const unshed = await compared(options, main.found, most);
  const scale = await scaled(options, main.found);
  return reportOf(options, main, { loadAverage, unshed, scale });
}

/** The one with the median capacity; of an even number the lower of the middle two, as a capacity is a lower bound. */
function middleOf(all: readonly Found[]): Found {
  const sorted = all.toSorted((a, b) => a.result.perSecond - b.result.perSecond);
  return sorted[Math.floor((sorted.length - 1) / 2)]!;
}

/** Runs `work` on a system that is started for it, with a load that is ready. */
async function staged<T>(
  options: CapacityOptions,
  arrangement: Arrangement,
  work: (stage: Stage) => Promise<T>,
): Promise<T> {
  const many =
    arrangement.nodes === undefined ? "" : ` with ${arrangement.nodes} ${arrangement.nodes === 1 ? "node" : "nodes"}`;
  options.onStage(`the system${many}${arrangement.shedding ? "" : ", load control off"}`);
  await using system = await options.start(arrangement);
  const { url } = system;
  const { headers, timeoutMs, keys, loadProcesses: processes } = options;
  const workload = await prepareWorkload({
    url,
    headers,
    timeoutMs,
    keys,
    ...(options.work && { work: options.work }),
  });
  using load = new Load({ url, requests: workload.requests, processes, processors: options.division?.load });
  const { objective, trialMs, firstPerSecond, perSecondMax, onOffer, onTrial } = options;
  const finder = {
    load,
    objective,
    trialMs,
    timeoutMs,
    firstPerSecond,
    perSecondMax,
    readMeters: system.readMeters,
    sameMachine: system.sameMachine,
    onOffer,
    onTrial,
  };
  return await work({ system, workload, finder });
}

async function compared(
  options: CapacityOptions,
  { result }: Found,
  nodes: number | undefined,
): Promise<readonly TrialRecord[] | undefined> {
  if (!options.compare || result.perSecond === 0) return undefined;
  const arrangement = { shedding: false, ...(nodes !== undefined && { nodes }) };
  return await staged(options, arrangement, ({ finder }) => measureCurve(finder, result.perSecond));
}

/** Of fewer nodes; that of all of them is known. */
async function scaled(options: CapacityOptions, { result }: Found): Promise<readonly ScalePoint[] | undefined> {
  const most = options.nodes.at(-1);
  if (most === undefined || options.nodes.length < 2) return undefined;
  const points: ScalePoint[] = [];
  for (const nodes of options.nodes.slice(0, -1)) {
    const found = await staged(options, { shedding: true, nodes }, ({ finder }) => findCapacity(finder));
    points.push({ nodes, perSecond: found.result.perSecond });
  }
  return [...points, { nodes: most, perSecond: result.perSecond }];
}

interface Measured {
  readonly stage: Stage;
  readonly all: readonly Found[];
  /** The one of them that counts. */
  readonly found: Found;
  readonly points: readonly TrialRecord[];
}

interface Besides {
  readonly loadAverage: number;
  readonly unshed: readonly TrialRecord[] | undefined;
  readonly scale: readonly ScalePoint[] | undefined;
}

function reportOf(options: CapacityOptions, { stage, all, found, points }: Measured, besides: Besides): CapacityReport {
  const { system, workload } = stage;
  const { division } = options;
  const processors = division?.system.length ?? cpus().length;
  const { loadCores, ...bottleneck } = namedBottleneck(found, points, system.sameMachine ? processors : undefined);
  const { scale } = besides;
  return {
    system: system.name,
    at: new Date().toISOString(),
    machine: {
      processor: cpus()[0]?.model.trim() ?? "unknown",
      cores: cpus().length,
      memoryBytes: totalmem(),
      node: process.version,
      system: process.platform,
      loadAverage: besides.loadAverage,
      shared: system.sameMachine,
      ...(division && { systemCores: division.system.length }),
    },
    nodes: system.nodes,
    objective: options.objective,
    timeoutMs: options.timeoutMs,
    loadProcesses: options.loadProcesses,
    operations: workload.operations,
    unasked: workload.unasked,
    runs: all.map(({ result }) => result.perSecond),
    capacity: { ...found.result, confirmed: found.confirmation && pointOf(found.confirmation) },
    trials: found.trials.map(trialReportOf),
    curve: points.map(pointOf),
    withoutShedding: besides.unshed?.map(pointOf),
    scale: scale && { points: scale, fit: fitScalability(scale) },
    bottleneck,
    loadCores,
  };
}
