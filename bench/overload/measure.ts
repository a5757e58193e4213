/** Offers a variant's load to the server of this process, and says what the load's process saw of it. */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Measured, RunOptions } from "../bench.ts";
import { type OverloadVariant, overloadVariant, phaseMs, stallMs, type Work } from "./bench.ts";
import { capacityOf } from "./calibration.ts";
import type { FromOverloadLoad, OverloadLoad } from "./load-process.ts";
import { goFirst, leaveLastProcessor, machineBusyMs, onLastProcessor, ownBusyMs } from "./processors.ts";
import { measuredOf, type Offered } from "./summary.ts";

/** What a side brings. */
export interface OverloadServer {
  readonly port: number;
  /** The paths of the work; `{id}` stands for one that was never used. */
  readonly paths: Readonly<Record<Work | "critical", string>>;
  /** Keeps the store from writing for so long. */
  stallStore(ms: number): Promise<void>;
  close(): Promise<void>;
}

/** How long each step counts by which it is found out what a side can do; it goes on for half as long before. */
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
    return measuredOf(variant, capacity, offered, options.measureMs);
  } finally {
    await server.close();
  }
}

/** What the side can do, once its code is compiled. */
async function calibrate(server: OverloadServer, work: Work, measureMs: number): Promise<number> {
  const ms = Math.min(calibrationMs, measureMs);
  const nothing = { phases: [], critical: 0, repeats: false, fresh: false };
  const load = { port: server.port, path: server.paths[work], criticalPath: server.paths.critical, alone, ...nothing };
  return await capacityOf(async (inFlight) => {
    const closed = { inFlight, settleMs: ms / 2, ms };
    return (await loaded({ ...load, closed }, () => {})).closedPerSecond;
  });
}

async function offer(
  server: OverloadServer,
  variant: OverloadVariant,
  capacity: number,
  measureMs: number,
): Promise<Offered> {
  const load: OverloadLoad = {
    port: server.port,
    phases: variant.phases.map((phase) => ({
      perSecond: Math.max(1, phase.times * capacity),
      ms: phaseMs(phase, measureMs),
    })),
    path: server.paths[variant.work],
    criticalPath: server.paths.critical,
    critical: variant.critical ?? 0,
    repeats: variant.repeats,
    fresh: variant.fresh ?? false,
    alone,
  };
  const onPhase = (index: number): void => {
    if (variant.phases[index]?.trigger === "stall") void server.stallStore(stallMs);
  };
  const [began, machineBegan, ownBegan] = [performance.now(), machineBusyMs(), ownBusyMs()];
  const { tallies, busyMs } = await loaded(load, onPhase);
  const machineMs = (machineBusyMs() ?? 0) - (machineBegan ?? 0);
  const othersMs = machineBegan === undefined ? 0 : machineMs - (ownBusyMs() - ownBegan) - busyMs;
  return { tallies, others: Math.max(0, othersMs) / (performance.now() - began) };
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
