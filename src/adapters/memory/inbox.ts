/** The inbox of a shard in memory: items with their journals, found by number or by the entity that they belong to. */
import type { InboxItem, ItemProgress, JournalEntry, JournaledItem, Page } from "../../ports/work.ts";
import { OrderedRows } from "./ordered-rows.ts";

interface ItemRow {
  readonly item: InboxItem;
  /** By id, in the order in which they were first written. */
  readonly journal: ReadonlyMap<string, JournalEntry>;
}

type ItemRows = OrderedRows<ItemRow, number>;

export class Inbox {
  readonly #all: ItemRows = itemRows();
  /** The same rows, by the key of their entity. */
  readonly #ofKeys = new Map<string, ItemRows>();

  get size(): number {
    return this.#all.size;
  }

  get(number: number): InboxItem | undefined {
    return this.#all.get(number)?.item;
  }

  add(item: InboxItem): void {
    this.#put({ item, journal: new Map() });
  }

  delete(number: number): void {
    const key = this.get(number)?.key;
    if (key === undefined) return;
    this.#all.delete(number);
    const ofKey = this.#ofKeys.get(key);
    ofKey?.delete(number);
    if (ofKey?.size === 0) this.#ofKeys.delete(key);
  }

  /** Takes over how far an item has come, if it is there. */
  advance({ number, attempts, parked, holdsTurn, journal }: ItemProgress): void {
    const row = this.#all.get(number);
    if (row === undefined) return;
    const entries = journal.map((entry) => [entry.id, entry] as const);
    this.#put({ item: { ...row.item, attempts, parked, holdsTurn }, journal: new Map([...row.journal, ...entries]) });
  }

  page(after: number, limit: number): Page<InboxItem, number> {
    const { rows, ...rest } = this.#all.page(after, limit);
    return structuredClone({ ...rest, rows: rows.map(({ item }) => item) });
  }

  pageOf(key: string, after: number, limit: number): Page<JournaledItem, number> {
    const { rows, ...rest } = (this.#ofKeys.get(key) ?? itemRows()).page(after, limit);
    const items = rows.map(({ item, journal }) => ({ ...item, journal: [...journal.values()] }));
    return structuredClone({ ...rest, rows: items });
  }

  #put(row: ItemRow): void {
    this.#all.set(row);
    const { key } = row.item;
    const ofKey = this.#ofKeys.get(key) ?? itemRows();
    ofKey.set(row);
    this.#ofKeys.set(key, ofKey);
  }
}

function itemRows(): ItemRows {
  return new OrderedRows({
    nameOf: ({ item }) => item.number,
    placeOf: ({ item }) => item.number,
    compare: (a, b) => a - b,
  });
}
