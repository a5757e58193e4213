/**
 * How pending work travels: what several commands of one entity did to it becomes one change, and what several authors
 * said of a shard becomes one list, in which the last word on each thing counts.
 */
import type { ShardId } from "../../ports/store.ts";
import type {
  EntityWork,
  InboxItem,
  ItemProgress,
  JournalEntry,
  OutboxMessage,
  ShardProgress,
  TimerCount,
  TimerRow,
} from "../../ports/work.ts";
import type { Prerequisite } from "./prerequisite.ts";

/** What happened to pending work of a shard without a change of an entity; its author is told once what became of it. */
export interface Progress extends Partial<ShardProgress> {
  readonly shard: ShardId;
  readonly epoch: number;
  /** New for each. */
  readonly token: number;
  /** What changes of other entities may require of it. */
  readonly fulfils?: Prerequisite | undefined;
}

/** Besides its texts, what a row costs a batch. */
const rowBytes = 64;

/** Most work says nothing of most of what it could say. */
const none: readonly never[] = Object.freeze([]);

/** The work of all commands that share a seat. */
export class SeatWork {
  readonly #accepted = new Map<number, InboxItem>();
  readonly #finished: number[] = [];
  readonly #sent: OutboxMessage[] = [];
  /** Made when the first timer is touched. */
  #timers: { readonly set: Map<string, TimerRow>; readonly cleared: Set<string> } | null = null;

  add({ accepted, finished, sent, timersSet, timersCleared }: Partial<EntityWork>): void {
    for (const item of accepted ?? []) this.#accepted.set(item.number, item);
    for (const number of finished ?? []) {
      // Nobody has seen an item that comes and goes in one commit.
      if (!this.#accepted.delete(number)) this.#finished.push(number);
    }
    for (const message of sent ?? none) this.#sent.push(message);
    if (timersSet !== undefined || timersCleared !== undefined) this.#touch(timersSet ?? none, timersCleared ?? none);
  }

  #touch(timersSet: readonly TimerRow[], timersCleared: readonly string[]): void {
    this.#timers ??= { set: new Map(), cleared: new Set() };
    const { set, cleared } = this.#timers;
    for (const name of timersCleared) {
      set.delete(name);
      cleared.add(name);
    }
    for (const timer of timersSet) {
      cleared.delete(timer.name);
      set.set(timer.name, timer);
    }
  }

  toEntityWork(): EntityWork | null {
    const accepted = this.#accepted.size === 0 ? none : [...this.#accepted.values()];
    const [finished, sent] = [this.#finished, this.#sent];
    const timersSet = this.#timers === null ? none : [...this.#timers.set.values()];
    const timersCleared = this.#timers === null ? none : [...this.#timers.cleared];
    const rows = accepted.length + finished.length + sent.length + timersSet.length + timersCleared.length;
    return rows === 0 ? null : { accepted, finished, sent, timersSet, timersCleared };
  }
}

/** One list of all that was said, in the order in which it was said; null when there is nothing. */
export function mergedProgress(parts: readonly Partial<ShardProgress>[]): ShardProgress | null {
  if (parts.length === 0) return null;
  const itemsDropped = lastOfEach(
    said(parts, (part) => part.itemsDropped),
    itself,
  );
  const messagesSettled = lastOfEach(
    said(parts, (part) => part.messagesSettled),
    itself,
  );
  const items = lastOfEach(
    said(parts, (part) => part.items),
    numberOf,
    merged,
  );
  const messages = lastOfEach(
    said(parts, (part) => part.messages),
    numberOf,
  );
  return {
    // A last word: nothing needs to be known of what goes.
    items: without(items, itemsDropped),
    itemsDropped,
    messages: without(messages, messagesSettled),
    messagesSettled,
    timersCounted: lastOfEach(
      said(parts, (part) => part.timersCounted),
      nameOfTimer,
    ),
    released: said(parts, (part) => part.released),
  };
}

/** What all parts say of one kind of thing: nothing, nearly always, and then it costs nothing. */
function said<Item>(
  parts: readonly Partial<ShardProgress>[],
  of: (part: Partial<ShardProgress>) => readonly Item[] | undefined,
): readonly Item[] {
  return parts.length === 1 ? (of(parts[0]!) ?? none) : parts.flatMap((part) => of(part) ?? none);
}

/** The last word on each thing, where the first one stood. */
function lastOfEach<Item>(
  items: readonly Item[],
  nameOf: (item: Item) => number | string,
  both: (before: Item, item: Item) => Item = (_, item) => item,
): readonly Item[] {
  if (items.length < 2) return items;
  const byName = new Map<number | string, Item>();
  for (const item of items) {
    const name = nameOf(item);
    const before = byName.get(name);
    byName.set(name, before === undefined ? item : both(before, item));
  }
  return [...byName.values()];
}

function without<Item extends { readonly number: number }>(
  items: readonly Item[],
  gone: readonly number[],
): readonly Item[] {
  if (items.length === 0 || gone.length === 0) return items;
  const numbers = new Set(gone);
  return items.filter(({ number }) => !numbers.has(number));
}

const itself = (number: number): number => number;
const numberOf = ({ number }: { readonly number: number }): number => number;
const nameOfTimer = ({ key, name }: TimerCount): string => JSON.stringify([key, name]);

function merged(before: ItemProgress, item: ItemProgress): ItemProgress {
  const journal = new Map<string, JournalEntry>();
  for (const entry of [...before.journal, ...item.journal]) journal.set(entry.id, entry);
  return { ...item, journal: [...journal.values()] };
}

/**
 * Whether progress that boarded before would be undone by this work if both travelled in one commit, where changes of
 * entities go first: a timer that was released may be set anew only afterwards.
 */
export function overtakes(key: string, work: Partial<EntityWork>, aboard: readonly Progress[]): boolean {
  if (aboard.length === 0 || (work.timersSet === undefined && work.timersCleared === undefined)) return false;
  const names = new Set([...(work.timersSet ?? []).map(({ name }) => name), ...(work.timersCleared ?? [])]);
  if (names.size === 0) return false;
  return aboard.some(({ released }) => released?.some((timer) => timer.key === key && names.has(timer.name)));
}

/** One more than the highest number that was given out here; 0 when none was. */
export function nextAfterWork({ accepted, sent, timersSet }: Partial<EntityWork>): number {
  let next = 0;
  for (const { number } of accepted ?? []) next = Math.max(next, number + 1);
  for (const { number } of sent ?? []) next = Math.max(next, number + 1);
  for (const { generation } of timersSet ?? []) next = Math.max(next, generation + 1);
  return next;
}

export function nextAfterProgress({ released }: Progress): number {
  return (released ?? []).reduce((next, { message }) => Math.max(next, message.number + 1), 0);
}

export function bytesOfWork({ accepted, finished, sent, timersSet, timersCleared }: Partial<EntityWork>): number {
  const gone = (finished?.length ?? 0) + (timersCleared?.length ?? 0);
  return gone * rowBytes + bytesOfRows(accepted) + bytesOfRows(sent) + bytesOfRows(timersSet);
}

function bytesOfRows(rows: readonly { readonly input: string | null }[] = none): number {
  return rows.reduce((bytes, { input }) => bytes + rowBytes + (input?.length ?? 0), 0);
}

export function bytesOfProgress(progress: Progress): number {
  const { items, itemsDropped, messages, messagesSettled, timersCounted, released } = progress;
  const gone = (itemsDropped?.length ?? 0) + (messagesSettled?.length ?? 0);
  let bytes = (gone + (messages?.length ?? 0) + (timersCounted?.length ?? 0)) * rowBytes;
  for (const { message } of released ?? []) bytes += 2 * rowBytes + (message.input?.length ?? 0);
  for (const { journal } of items ?? []) {
    bytes += rowBytes;
    for (const { outcome } of journal) bytes += rowBytes + (outcome?.length ?? 0);
  }
  return bytes;
}
