/** The timers of a shard in memory: in the order in which they are due, and by the entity that they belong to. */
import type { Page, TimerPlace, TimerRow } from "../../ports/work.ts";
import { OrderedRows } from "./ordered-rows.ts";

export class TimerRows {
  readonly #rows: OrderedRows<TimerRow, TimerPlace> = new OrderedRows({
    nameOf: ({ key, name }) => rowName(key, name),
    placeOf: ({ dueAt, key, name }) => ({ dueAt, key, name }),
    compare: (a, b) => a.dueAt - b.dueAt || compareBytes(a.key, b.key) || compareBytes(a.name, b.name),
  });
  /** The names of an entity's timers, by its key. */
  readonly #names = new Map<string, Set<string>>();

  get size(): number {
    return this.#rows.size;
  }

  /** How many of them are messages that leave when they are due. */
  get messages(): number {
    let length = 0;
    for (const { service } of this.#rows) if (service !== null) length += 1;
    return length;
  }

  get(key: string, name: string): TimerRow | undefined {
    return this.#rows.get(rowName(key, name));
  }

  set(row: TimerRow): void {
    this.#rows.set(row);
    const names = this.#names.get(row.key) ?? new Set();
    this.#names.set(row.key, names.add(row.name));
  }

  delete(key: string, name: string): void {
    this.#rows.delete(rowName(key, name));
    const names = this.#names.get(key);
    names?.delete(name);
    if (names?.size === 0) this.#names.delete(key);
  }

  page(after: TimerPlace | null, limit: number): Page<TimerRow, TimerPlace> {
    return structuredClone(this.#rows.page(after, limit));
  }

  namesOf(key: string, limit: number): readonly string[] {
    return [...(this.#names.get(key) ?? [])].sort(compareBytes).slice(0, limit);
  }
}

function rowName(key: string, name: string): string {
  return JSON.stringify([key, name]);
}

/** As stores sort text that rests as UTF-8, which is another order than that of JavaScript's characters. */
function compareBytes(a: string, b: string): number {
  return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b));
}
