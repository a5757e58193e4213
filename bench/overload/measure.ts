/** Offers a variant's load to the server of this process, and says what the load's process saw of it. */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Measured, RunOptions } from "../bench.ts";
import { type OverloadVariant, overloadVariant, type Work } from "./bench.ts";
import type { FromOverloadLoad, OverloadLoad, PhaseTally } from "./load-process.ts";
import { goFirst, leaveLastProcessor, machineBusyMs, onLastProcessor, ownBusyMs } from "./processors.ts";

/** What a side brings. */
export interface OverloadServer {
  readonly port: number;
  /** The paths of the work; `{id}` stands for one that was never used. */
  readonly paths: Readonly<Record<Work | "critical", string>>;
  /** Keeps the store from writing for so long. */
  stallStore(ms: number): Promise<void>;
  close(): Promise<void>;
}

const stallMs = 2_000;
/**
 * A load that is later than this is a load of another kind than was asked for: a hundredth of the time that its callers
 * wait. What it is late by counts as theirs, because their time runs from the instant at which the call was due.
 */
const lagMaxMs = 10;
/** Processors that other programs may have while something is measured. */
const othersMax = 0.1;
/** Calls in flight, and how long, to find out what a side can do. */
const calibrationInFlight: Readonly<Record<Work, number>> = { compute: 16, transfer: 128 };
const calibrationMs = 2_000;
/** The load has the last processor to itself, and this process all others. */
const alone = leaveLastProcessor();
goFirst();
/** Found out once in the life of a side's process. */
const capacities = new Map<Work, number>();

export async function measureOverload(
  start: (folder: string) => Promise<OverloadServer>,
  options: RunOptions,
): Promise<Measured> {
  const variant = overloadVariant(options.variant);
  const server = await start(options.folder);
  try {
    const capacity = capacities.get(variant.work) ?? (await calibrate(server, variant.work, options.measureMs));
    capacities.set(variant.work, capacity);
    const offered = await offer(server, variant, capacity, options.measureMs);
    return resultOf(variant, capacity, offered, options.measureMs);
  } finally {
    await server.close();
  }
}

function resultOf(
  { phases, repeats, critical }: OverloadVariant,
  capacity: number,
  { tallies, others }: Offered,
  measureMs: number,
): Measured {
  const counted = tallies[phases.findIndex(({ counts }) => counts)]!;
  const seconds = measureMs / 1_000;
  const all = (count: (tally: PhaseTally) => number): number => tallies.reduce((sum, tally) => sum + count(tally), 0);
  const lagMs = quantile(counted.lagsMs, 0.99);
  const details = [
    { name: "capacity", unit: "answers/s", value: capacity },
    { name: "offered", unit: "calls/s", value: counted.offered / seconds },
    { name: "good", unit: "of 1", value: counted.good / Math.max(1, counted.offered) },
    { name: "p99 of the admitted", unit: "ms", value: quantile(counted.responsesMs, 0.99) },
    { name: "turned away", unit: "calls/s", value: counted.refused / seconds },
    { name: "late", unit: "calls/s", value: counted.late / seconds },
    { name: "lost for want of a connection", unit: "calls/s", value: counted.lost / seconds },
    { name: "p99 of the load's own delay", unit: "ms", value: lagMs },
    { name: "taken by other programs", unit: "processors", value: others },
  ];
  if (repeats) {
    const value =
      all(({ attempts }) => attempts) /
      Math.max(
        1,
        all(({ offered }) => offered),
      );
    details.push({ name: "attempts per call", unit: "attempts", value });
  }
  if (critical !== undefined) {
    const value = counted.criticalGood / Math.max(1, counted.criticalOffered);
    details.push({ name: "good of the critical", unit: "of 1", value });
  }
  return { value: counted.good / seconds, details, doubt: doubtOf(lagMs, others) };
}

function doubtOf(lagMs: number, others: number): string | undefined {
  const doubts = [
    ...(lagMs > lagMaxMs ? [`the load was late by up to ${lagMs.toFixed(1)} ms (p99)`] : []),
    ...(others > othersMax ? [`other programs had ${others.toFixed(2)} processors`] : []),
  ];
  return doubts.length === 0 ? undefined : `${doubts.join(", and ")}: not to be quoted`;
}

/** What the side answers when so many calls are always in flight, once its code is compiled. */
async function calibrate(server: OverloadServer, work: Work, measureMs: number): Promise<number> {
  const ms = Math.min(calibrationMs, measureMs);
  const closed = { inFlight: calibrationInFlight[work], settleMs: ms, ms };
  const nothing = { phases: [], critical: 0, repeats: false, fresh: false };
  const paths = { path: server.paths[work], criticalPath: server.paths.critical };
  return (await loaded({ port: server.port, ...paths, closed, alone, ...nothing }, () => {})).closedPerSecond;
}

async function offer(
  server: OverloadServer,
  variant: OverloadVariant,
  capacity: number,
  measureMs: number,
): Promise<Offered> {
  const load: OverloadLoad = {
    port: server.port,
    phases: variant.phases.map(({ times, lengths }) => ({
      perSecond: Math.max(1, times * capacity),
      ms: lengths * measureMs,
    })),
    path: server.paths[variant.work],
    criticalPath: server.paths.critical,
    critical: variant.critical ?? 0,
    repeats: variant.repeats,
    fresh: variant.fresh ?? false,
    alone,
  };
  const onPhase = (index: number): void => {
    if (variant.phases[index]?.stallsStore) void server.stallStore(stallMs);
  };
  const [began, machineBegan, ownBegan] = [performance.now(), machineBusyMs(), ownBusyMs()];
  const { tallies, busyMs } = await loaded(load, onPhase);
  const machineMs = (machineBusyMs() ?? 0) - (machineBegan ?? 0);
  const othersMs = machineBegan === undefined ? 0 : machineMs - (ownBusyMs() - ownBegan) - busyMs;
  return { tallies, others: Math.max(0, othersMs) / (performance.now() - began) };
}

interface Offered {
  readonly tallies: readonly PhaseTally[];
  /** Processors that other programs had meanwhile. */
  readonly others: number;
}

type Ended = Extract<FromOverloadLoad, { kind: "ended" }>;

function loaded(load: OverloadLoad, onPhase: (index: number) => void): Promise<Ended> {
  const child = fork(fileURLToPath(new URL("./load-process.ts", import.meta.url)), {
    ...onLastProcessor(["--conditions=synod-source"]),
    serialization: "advanced",
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("message", (message: FromOverloadLoad) => {
      if (message.kind === "phase") onPhase(message.index);
      else if (message.kind === "ended") resolve(message);
      else reject(new Error(message.message));
    });
    child.on("error", reject);
    child.on("exit", (code) => reject(new Error(`a process of the load ended (${code})`)));
  });
  child.send(load);
  return ended.finally(() => child.kill());
}

/** 0 of nothing. */
function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * q) - 1)] ?? 0;
}
