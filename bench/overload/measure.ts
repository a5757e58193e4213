/** Offers a variant's load to the server of this process, and says what the load's process saw of it. */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Measured, RunOptions } from "../bench.ts";
import { type OverloadVariant, overloadVariant, type Work } from "./bench.ts";
import type { FromOverloadLoad, OverloadLoad, PhaseTally } from "./load-process.ts";
import { leaveLastProcessor, onLastProcessor } from "./processors.ts";

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
/** A load that is later than this is a load of another kind than was asked for. */
const lagMaxMs = 1;
/** Calls in flight, and how long, to find out what a side can do. */
const calibrationInFlight: Readonly<Record<Work, number>> = { compute: 16, transfer: 128 };
const calibrationMs = 2_000;
/** The load has the last processor to itself, and this process all others. */
const alone = leaveLastProcessor();
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
    const tallies = await offer(server, variant, capacity, options.measureMs);
    return resultOf(variant, capacity, tallies, options.measureMs);
  } finally {
    await server.close();
  }
}

function resultOf(
  { phases, repeats, critical }: OverloadVariant,
  capacity: number,
  tallies: readonly PhaseTally[],
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
  const doubt =
    lagMs > lagMaxMs ? `the load was late by up to ${lagMs.toFixed(1)} ms (p99): not to be quoted` : undefined;
  return { value: counted.good / seconds, details, doubt };
}

/** What the side answers when so many calls are always in flight, once its code is compiled. */
async function calibrate(server: OverloadServer, work: Work, measureMs: number): Promise<number> {
  const ms = Math.min(calibrationMs, measureMs);
  const closed = { inFlight: calibrationInFlight[work], settleMs: ms, ms };
  const nothing = { phases: [], critical: 0, repeats: false };
  const paths = { path: server.paths[work], criticalPath: server.paths.critical };
  return (await loaded({ port: server.port, ...paths, closed, alone, ...nothing }, () => {})).closedPerSecond;
}

async function offer(
  server: OverloadServer,
  variant: OverloadVariant,
  capacity: number,
  measureMs: number,
): Promise<readonly PhaseTally[]> {
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
    alone,
  };
  const onPhase = (index: number): void => {
    if (variant.phases[index]?.stallsStore) void server.stallStore(stallMs);
  };
  return (await loaded(load, onPhase)).tallies;
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
