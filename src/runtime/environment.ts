/** What the parts of one node share: its ports, bounds and the few things that all of them ask. */
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { Random } from "../ports/random.ts";
import type { Store } from "../ports/store.ts";
import type { AnySystem } from "../service/model.ts";
import type { Deadlines } from "./deadlines.ts";
import type { EntityMemory } from "./entity-memory.ts";
import type { HandlerWatch } from "./handler-watch.ts";
import type { LeaseGuard } from "./lease-guard.ts";
import type { NodeLimits } from "./limits.ts";
import type { NodeLoad } from "./load.ts";
import type { OperationMeters } from "./operation-meters.ts";
import type { Reader } from "./reader.ts";
import type { RecordCache } from "./record-cache.ts";

export interface Environment {
  readonly node: string;
  readonly system: AnySystem;
  readonly store: Store;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly random: Random;
  readonly log: Log;
  readonly meters: OperationMeters;
  readonly limits: NodeLimits;
  readonly load: NodeLoad;
  readonly lease: LeaseGuard;
  readonly reader: Reader;
  readonly records: RecordCache;
  readonly memory: EntityMemory;
  readonly handlers: HandlerWatch;
  readonly counters: Counters;
  /** The way to end each query and each stateless handler under way: they hold no turn, but end with the node. */
  readonly queryRuns: Set<() => void>;
}

/** Waits for `work`, for `ms` at the most; says whether it was done by then. Rejections of `work` count as done. */
export async function within(clock: Clock, ms: number, work: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = clock.setTimer(Math.max(0, ms), () => resolve(false));
    const done = (): void => {
      timer.cancel();
      resolve(true);
    };
    work.then(done, done);
  });
}

/** What a node has done since its start, and what it holds now. */
export interface Counters {
  commands: number;
  queries: number;
  commits: number;
  /** Commands whose change or record became durable. */
  committedCommands: number;
  /** Bytes of executed work that is not durable yet. */
  undurableBytes: number;
  /** Handlers whose turn was taken away and that have not settled since. */
  abandonedHandlers: number;
}

export function newCounters(): Counters {
  return { commands: 0, queries: 0, commits: 0, committedCommands: 0, undurableBytes: 0, abandonedHandlers: 0 };
}
