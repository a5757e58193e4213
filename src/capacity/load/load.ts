/** The processes of a load, and what they saw together. */
import { type ChildProcess, fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { SynodError } from "../../errors.ts";
import { mergedHistogram } from "../../values/histogram.ts";
import { keepTo } from "../processors.ts";
import type { TrialFigures } from "../trial.ts";
import type { Target } from "./connections.ts";
import type { FromLoad, LoadOrder, PreparedRequest, ToLoad } from "./messages.ts";
import type { Tally } from "./open-loop.ts";

export interface LoadOptions {
  readonly url: URL;
  readonly requests: readonly PreparedRequest[];
  readonly processes: number;
  /** Processors that nobody else uses of those who are measured, if there are any. */
  readonly processors?: readonly number[] | undefined;
}

export interface Offer {
  /** Calls per second, of all processes together. */
  readonly perSecond: number;
  readonly settleMs: number;
  readonly ms: number;
  readonly timeoutMs: number;
  readonly graceMs: number;
}

export interface Offered extends TrialFigures {
  /** Processors that the load itself used while calls counted. */
  readonly loadCores: number;
}

/** Where load and system share a machine, half of it is the system's; more processes than processors are late. */
export const loadProcessesDefault: number = Math.max(1, Math.min(4, Math.floor(availableParallelism() / 2)));

/**
 * Of one process. More do not help: past the capacity calls are cut when their time is over, each connection that was cut is opened anew, and
 * nodes that accept thousands of them do little else (measured on three nodes that shared a processor, offered twice their capacity, good
 * answers per second: 1,369 and 1,456 with 400; 16, 10, 1,417 and 1,020 with 4,000).
 */
const connectionsMax = 400;

/**
 * A process of the load has one processor, and is late for as long as garbage is collected, or as it waits for V8's other threads there: so it
 * collects alone, the young part seldom (what outlives it is what is in flight, at any size), and the old part hardly ever. MiB.
 */
const heapFlags = [
  "--single-threaded-gc",
  "--min-semi-space-size=64",
  "--max-semi-space-size=64",
  "--initial-old-space-size=256",
];

const fromSource = import.meta.url.endsWith(".ts");

export class Load implements Disposable {
  readonly #children: readonly ChildProcess[];
  #offers = 0;

  constructor({ url, requests, processes, processors }: LoadOptions) {
    const program = fileURLToPath(new URL(fromSource ? "./process.ts" : "./process.js", import.meta.url));
    const execArgv = [...heapFlags, ...(fromSource ? ["--conditions=synod-source"] : [])];
    this.#children = Array.from({ length: processes }, () => fork(program, { execArgv, serialization: "advanced" }));
    for (const child of this.#children) {
      child.on("error", () => {});
      if (processors !== undefined && child.pid !== undefined) keepTo(processors, child.pid);
      child.send({ kind: "target", target: targetOf(url), connectionsMax, requests } satisfies ToLoad);
    }
  }

  /** Offers calls for `settleMs` and then `ms`, and resolves when all of them are over. */
  async offer({ perSecond, ...times }: Offer): Promise<Offered> {
    this.#offers += 1;
    const parts = await Promise.all(
      this.#children.map((child, index) => {
        const seed = this.#offers * this.#children.length + index;
        return offered(child, { ...times, perSecond: perSecond / this.#children.length, seed });
      }),
    );
    const loadCores = parts.reduce((sum, { cores }) => sum + cores, 0);
    const tallies = parts.map(({ tally }) => tally);
    return { perSecond, seconds: times.ms / 1_000, loadCores, ...addedTallies(tallies) };
  }

  [Symbol.dispose](): void {
    for (const child of this.#children) child.kill();
  }
}

/** What several processes saw, as if one had. */
function addedTallies(tallies: readonly Tally[]): Tally {
  const sum = (count: (tally: Tally) => number): number => tallies.reduce((total, tally) => total + count(tally), 0);
  const failures: Record<string, number> = {};
  for (const tally of tallies) {
    for (const [code, count] of Object.entries(tally.failures)) failures[code] = (failures[code] ?? 0) + count;
  }
  const length = Math.min(...tallies.map(({ open }) => open.length));
  return {
    due: sum(({ due }) => due),
    good: sum(({ good }) => good),
    declared: sum(({ declared }) => declared),
    failures,
    keptUp: sum(({ keptUp }) => keptUp),
    response: mergedHistogram(tallies.map(({ response }) => response)),
    lag: mergedHistogram(tallies.map(({ lag }) => lag)),
    open: Array.from({ length }, (_, at) => sum(({ open }) => open[at]!)),
  };
}

type Ended = Extract<FromLoad, { kind: "offered" }>;

function offered(child: ChildProcess, order: LoadOrder): Promise<Ended> {
  const { promise, resolve, reject } = Promise.withResolvers<Ended>();
  const onMessage = (message: FromLoad): void => {
    if (message.kind === "offered") resolve(message);
    else reject(new SynodError("internal", `a process of the load failed: ${message.message}`));
  };
  const onExit = (): void => reject(new SynodError("internal", "a process of the load ended in the middle of a trial"));
  child.on("message", onMessage).on("exit", onExit);
  if (!child.connected) onExit();
  else child.send({ kind: "offer", order } satisfies ToLoad);
  return promise.finally(() => child.off("message", onMessage).off("exit", onExit));
}

function targetOf(url: URL): Target {
  const tls = url.protocol === "https:";
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  return { host, port: Number(url.port || (tls ? 443 : 80)), tls };
}
