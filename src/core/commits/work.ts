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
  MessageProgress,
  OutboxMessage,
  ShardProgress,
  TimerCount,
  TimerRelease,
  TimerRow,
} from "../../ports/work.ts";

/** What happened to pending work of a shard without a change of an entity; its author is told once what became of it. */
export interface Progress extends Partial<ShardProgress> {
  readonly shard: ShardId;
  readonly epoch: number;
  /** New for each. */
  readonly token: number;
}

/** Besides its texts, what a row costs a batch. */
const rowBytes = 64;

/** The work of all commands that share a seat. */
export class SeatWork {
  readonly #accepted = new Map<number, InboxItem>();
  readonly #finished: number[] = [];
  readonly #sent: OutboxMessage[] = [];
  readonly #timersSet = new Map<string, TimerRow>();
  readonly #timersCleared = new Set<string>();

  add({ accepted, finished, sent, timersSet, timersCleared }: Partial<EntityWork>): void {
    for (const item of accepted ?? []) this.#accepted.set(item.number, item);
    for (const number of finished ?? []) {
      // Nobody has seen an item that comes and goes in one commit.
      if (!this.#accepted.delete(number)) this.#finished.push(number);
    }
    this.#sent.push(...(sent ?? []));
    for (const name of timersCleared ?? []) {
      this.#timersSet.delete(name);
      this.#timersCleared.add(name);
    }
    for (const timer of timersSet ?? []) {
      this.#timersCleared.delete(timer.name);
      this.#timersSet.set(timer.name, timer);
    }
  }

  toEntityWork(): EntityWork | null {
    const work: EntityWork = {
      accepted: [...this.#accepted.values()],
      finished: this.#finished,
      sent: this.#sent,
      timersSet: [...this.#timersSet.values()],
      timersCleared: [...this.#timersCleared],
    };
    return Object.values(work).every((list) => list.length === 0) ? null : work;
  }
}

/** One list of all that was said, in the order in which it was said; null when there is nothing. */
export function mergedProgress(parts: readonly Partial<ShardProgress>[]): ShardProgress | null {
  if (parts.length === 0) return null;
  const items = new Map<number, ItemProgress>();
  const itemsDropped = new Set<number>();
  const messages = new Map<number, MessageProgress>();
  const messagesSettled = new Set<number>();
  const timersCounted = new Map<string, TimerCount>();
  const released: TimerRelease[] = [];
  for (const part of parts) {
    for (const item of part.items ?? []) items.set(item.number, merged(items.get(item.number), item));
    for (const number of part.itemsDropped ?? []) itemsDropped.add(number);
    for (const message of part.messages ?? []) messages.set(message.number, message);
    for (const number of part.messagesSettled ?? []) messagesSettled.add(number);
    for (const count of part.timersCounted ?? []) timersCounted.set(JSON.stringify([count.key, count.name]), count);
    released.push(...(part.released ?? []));
  }
  // A last word: nothing needs to be known of what goes.
  for (const number of itemsDropped) items.delete(number);
  for (const number of messagesSettled) messages.delete(number);
  return {
    items: [...items.values()],
    itemsDropped: [...itemsDropped],
    messages: [...messages.values()],
    messagesSettled: [...messagesSettled],
    timersCounted: [...timersCounted.values()],
    released,
  };
}

function merged(before: ItemProgress | undefined, item: ItemProgress): ItemProgress {
  if (before === undefined) return item;
  const journal = new Map<string, JournalEntry>();
  for (const entry of [...before.journal, ...item.journal]) journal.set(entry.id, entry);
  return { ...item, journal: [...journal.values()] };
}

/**
 * Whether progress that boarded before would be undone by this work if both travelled in one commit, where changes of
 * entities go first: a timer that was released may be set anew only afterwards.
 */
export function overtakes(key: string, work: Partial<EntityWork>, aboard: readonly Progress[]): boolean {
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
  const rows = [...(accepted ?? []), ...(sent ?? []), ...(timersSet ?? [])];
  const gone = (finished?.length ?? 0) + (timersCleared?.length ?? 0);
  return gone * rowBytes + rows.reduce((bytes, { input }) => bytes + rowBytes + (input?.length ?? 0), 0);
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
