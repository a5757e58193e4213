/** Changes of one entity that were executed and are not durable yet, in their order. */
import type { CallRecord } from "../ports/store.ts";
import type { EntityWork } from "../ports/work.ts";
import type { InboxEntry } from "./entity-inbox.ts";
import type { Counters } from "./environment.ts";
import type { Snapshot } from "./snapshot.ts";

export interface AheadChange {
  readonly position: number;
  /** The state that it left. */
  readonly snapshot: Snapshot;
  readonly record: CallRecord | null;
  readonly work: Partial<EntityWork> | null;
  readonly bytes: number;
  /** The durable command that was accepted or finished by it. */
  readonly accepted: InboxEntry | null;
  readonly finished: InboxEntry | null;
}

export class Ahead {
  readonly #counters: Counters;
  #changes: AheadChange[] = [];

  constructor(counters: Counters) {
    this.#counters = counters;
  }

  add(change: AheadChange): void {
    this.#changes.push(change);
    this.#counters.undurableBytes += change.bytes;
  }

  /** Takes out what is durable now. */
  take(position: number): readonly AheadChange[] {
    const open = this.#changes.findIndex((change) => change.position > position);
    const durable = this.#changes.splice(0, open < 0 ? this.#changes.length : open);
    for (const { bytes } of durable) this.#counters.undurableBytes -= bytes;
    return durable;
  }

  /** Takes out everything: it is void, or nobody knows. */
  forget(): readonly AheadChange[] {
    return this.take(Number.POSITIVE_INFINITY);
  }

  /** The generation of a timer as it was last set here; null: it was cleared; undefined: it was not touched. */
  timer(name: string): number | null | undefined {
    for (const { work } of this.#changes.toReversed()) {
      const set = work?.timersSet?.find((row) => row.name === name);
      if (set !== undefined) return set.generation;
      if (work?.timersCleared?.includes(name)) return null;
    }
    return undefined;
  }
}
