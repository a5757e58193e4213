/**
 * How often a run came to what its faults are meant to bring about. A fault that hits nothing tests nothing: that code
 * changed is of interest where a durable command was begun by other code, and an outage where something was promised
 * before it.
 */
import type { MemoryDatabase } from "../adapters/memory/database.ts";
import type { CommitBatch } from "../ports/store.ts";
import { type HandlerRun, isDurable } from "./operation.ts";
import { nameOfThing, pendingThings } from "./pending.ts";

/** Everything that is counted, with what it means that it happened. */
export const reachable = {
  otherCode: "durable commands taken up by other code, after they had made a call",
  otherPath: "durable commands parked, because other code did not do what had been begun",
  outlived: "durable commands, messages and timers done after an outage longer than the window",
} as const;

export type Reachable = keyof typeof reachable;

export class Reached {
  readonly counts: Record<Reachable, number> = { otherCode: 0, otherPath: 0, outlived: 0 };
  /** By the id of a durable command: the attempt that was begun last. */
  readonly #attempts = new Map<string, HandlerRun>();
  /** What was promised before an outage, and was not done when it ended. */
  readonly #outlived = new Set<string>();

  started(run: HandlerRun): void {
    if (!isDurable(run)) return;
    const before = this.#attempts.get(run.id);
    this.#attempts.set(run.id, run);
    if (before === undefined || before.calls.length === 0) return;
    if (before.process.build !== run.process.build) this.counts.otherCode++;
  }

  committed({ shards }: CommitBatch): void {
    for (const { progress } of shards) {
      for (const { parked } of progress?.items ?? []) {
        if (parked !== null && isOfAnotherPath(parked)) this.counts.otherPath++;
      }
    }
  }

  /** Everything is down. */
  outage(database: MemoryDatabase): void {
    for (const thing of pendingThings(database, Number.POSITIVE_INFINITY)) this.#outlived.add(nameOfThing(thing));
  }

  /** The run is over. */
  ended(database: MemoryDatabase): void {
    const left = new Set(pendingThings(database, Number.POSITIVE_INFINITY).map(nameOfThing));
    this.counts.outlived = [...this.#outlived].filter((name) => !left.has(name)).length;
  }
}

function isOfAnotherPath(parked: string): boolean {
  return (JSON.parse(parked) as { readonly code: string }).code === "nondeterministic";
}
