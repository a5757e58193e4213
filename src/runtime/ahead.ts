/**
 * Changes of one entity that were executed and are not durable yet, in their order, and the entity's timers as these have
 * left them.
 */
import type { CallRecord } from "../ports/store.ts";
import type { EntityWork } from "../ports/work.ts";
import { added } from "../values/added.ts";
import type { InboxEntry } from "./entity-inbox.ts";
import type { Counters } from "./environment.ts";
import { EntityTimers, type TouchedTimer } from "./messages/entity-timers.ts";
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

interface Executed extends AheadChange {
  /** The timers that it touches, as they were before; null when it touches none. */
  readonly touched: readonly TouchedTimer[] | null;
}

export class Ahead {
  readonly #counters: Counters;
  #changes: Executed[] = [];
  #timers: EntityTimers | null = null;

  constructor(counters: Counters) {
    this.#counters = counters;
  }

  /** Null when the entity has none, as most. */
  get timers(): EntityTimers | null {
    return this.#timers;
  }

  /** What timers the store has. */
  foundTimers(names: readonly string[]): void {
    if (names.length === 0) return;
    this.#changeTimers((timers) => {
      for (const name of names) timers.put(name, true);
    });
  }

  /** A timer has durably become a message. */
  timerReleased(name: string): void {
    // A change that touches it was made before that was known: what there is then it says, but undone it leaves nothing.
    for (const { touched } of this.#changes) {
      const before = touched?.find((timer) => timer.name === name);
      if (before === undefined) continue;
      before.wasSet = false;
      return;
    }
    this.#changeTimers((timers) => timers.put(name, false));
  }

  add(change: AheadChange): void {
    const { work } = change;
    const touches = (work?.timersSet?.length ?? 0) + (work?.timersCleared?.length ?? 0) > 0;
    const touched = touches ? this.#changeTimers((timers) => timers.apply(work!)) : null;
    const { position, snapshot, record, bytes, accepted, finished } = change;
    this.#changes = added(this.#changes, { position, snapshot, record, work, bytes, accepted, finished, touched });
    this.#counters.undurableBytes += change.bytes;
  }

  /** Takes out what is durable now. */
  take(position: number): readonly AheadChange[] {
    let durable = this.#changes;
    const open = durable.findIndex((change) => change.position > position);
    if (open < 0) this.#changes = [];
    else durable = durable.splice(0, open);
    for (const { bytes } of durable) this.#counters.undurableBytes -= bytes;
    return durable;
  }

  /** Takes out everything: it is void, or nobody knows. */
  forget(): readonly AheadChange[] {
    const forgotten = this.#changes.toReversed();
    if (forgotten.some(({ touched }) => touched !== null)) {
      this.#changeTimers((timers) => {
        for (const { touched } of forgotten) for (const { name, wasSet } of touched ?? []) timers.put(name, wasSet);
      });
    }
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

  #changeTimers<T>(change: (timers: EntityTimers) => T): T {
    this.#timers ??= new EntityTimers();
    const result = change(this.#timers);
    if (this.#timers.size === 0) this.#timers = null;
    return result;
  }
}
