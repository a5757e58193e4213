/** The faults of a drill: when each is due, and whether the system is in a state to be struck. */
import type { HistoryRecorder } from "../simulation/history.ts";
import { type Prng, pick } from "../values/prng.ts";
import type { DrilledSystem, DrillOptions } from "./drill.ts";
import type { DrillLoad } from "./load.ts";
import type { Struck } from "./report.ts";

const lookMs = 50;

type Nodes = Awaited<ReturnType<DrilledSystem["nodes"]>>;

/** One fault after the other, at equal distances, each when all nodes serve; resolves when the time is over. */
export async function injectFaults(
  options: DrillOptions,
  load: DrillLoad,
  recorder: HistoryRecorder,
  prng: Prng,
): Promise<{ readonly struck: readonly Struck[]; readonly skipped: number }> {
  const { system, faults, everyMs, lastsMs, signal, onProgress } = options;
  const struck: Struck[] = [];
  let skipped = 0;
  const leaveOut = (reason: string): void => {
    skipped += 1;
    onProgress(`${reason}: one fault is left out`);
  };
  for (let number = 0; ; number++) {
    // The first in the middle of its time, so that something is seen before it.
    const due = everyMs * (number + 0.5);
    await sleep(Math.min(due, lastsMs) - load.now, signal);
    if (due >= lastsMs || signal.aborted) return { struck, skipped };
    const { nodes, whole } = await untilWhole(system, Math.max(0, everyMs / 2), signal);
    if (signal.aborted) return { struck, skipped };
    if (!whole) {
      leaveOut("not all nodes serve");
      continue;
    }
    const kind = faults[number % faults.length]!;
    const node = kind === "slow-store" ? undefined : pick(prng, nodes).id;
    const faultLastsMs = kind === "pause" || kind === "slow-store" ? options.faultLastsMs : 0;
    recorder.fault(kind, { lastsMs: faultLastsMs }, node);
    const at = load.now;
    try {
      await system.strike({ kind, node, lastsMs: faultLastsMs });
    } catch (error) {
      leaveOut(`${kind} was not taken (${error instanceof Error ? error.message : error})`);
      continue;
    }
    struck.push({ at, kind, node, lastsMs: faultLastsMs });
    onProgress(`${(at / 1_000).toFixed(0)} s: ${kind}${node === undefined ? "" : ` ${node}`}; ${progressOf(load)}`);
  }
}

function progressOf({ calls }: DrillLoad): string {
  const failed = calls.filter(({ outcome }) => outcome !== "ok").length;
  return `${calls.length.toLocaleString("en")} requests so far, ${failed} failed`;
}

/** The nodes as they were told of last, when all of them serve, or when that takes too long. */
export async function untilWhole(
  system: DrilledSystem,
  waitMs: number,
  signal?: AbortSignal,
): Promise<{ readonly nodes: Nodes; readonly whole: boolean }> {
  const end = performance.now() + waitMs;
  let nodes: Nodes = [];
  for (;;) {
    // Faults befall it: whoever tells of the nodes may be slow to answer, too.
    const told = await system.nodes().catch(() => undefined);
    nodes = told ?? nodes;
    const whole = told !== undefined && told.length > 0 && told.every(({ serves }) => serves);
    if (whole || performance.now() > end || signal?.aborted) return { nodes, whole };
    await sleep(lookMs, signal);
  }
}

export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  if (ms <= 0 || signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done);
  });
}
