/**
 * Pending work in memory: inbox, outbox and timers of a shard, and what commits do to them. Whatever can be wrong is
 * asked before anything is written, as for the rest of a commit.
 */
import type { PageRead, ReadResult, ShardChanges } from "../../ports/store.ts";
import type {
  EntityWork,
  OutboxMessage,
  ShardProgress,
  TimerCount,
  TimerPlace,
  TimerRelease,
  TimerRow,
} from "../../ports/work.ts";
import { Inbox } from "./inbox.ts";
import { OrderedRows } from "./ordered-rows.ts";

export interface PendingWork {
  readonly inbox: Inbox;
  readonly outbox: OrderedRows<OutboxMessage, number>;
  readonly timers: OrderedRows<TimerRow, TimerPlace>;
}

export function noWork(): PendingWork {
  return {
    inbox: new Inbox(),
    outbox: new OrderedRows({
      nameOf: ({ number }) => number,
      placeOf: ({ number }) => number,
      compare: (a, b) => a - b,
    }),
    timers: new OrderedRows({
      nameOf: ({ key, name }) => timerName(key, name),
      placeOf: ({ dueAt, key, name }) => ({ dueAt, key, name }),
      compare: (a, b) => a.dueAt - b.dueAt || compareBytes(a.key, b.key) || compareBytes(a.name, b.name),
    }),
  };
}

function timerName(key: string, name: string): string {
  return JSON.stringify([key, name]);
}

/** As stores sort text that rests as UTF-8, which is another order than that of JavaScript's characters. */
function compareBytes(a: string, b: string): number {
  return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** Whether a number is taken, or an item that is to be finished is not the entity's. */
export function conflictsWith({ inbox, outbox }: PendingWork, key: string, work: EntityWork): boolean {
  return (
    work.accepted.some(({ number }) => inbox.get(number) !== undefined) ||
    work.sent.some(({ number }) => outbox.get(number) !== undefined) ||
    work.finished.some((number) => inbox.get(number)?.key !== key)
  );
}

/** The number of a message that is to come out of a timer and is in the outbox already. */
export function takenNumber({ outbox }: PendingWork, { progress }: ShardChanges): number | undefined {
  return progress?.released.find(({ message }) => outbox.get(message.number) !== undefined)?.message.number;
}

/** The id under which an entity's item is recorded when it is finished. */
export function itemId({ inbox }: PendingWork, key: string, number: number): string | undefined {
  const item = inbox.get(number);
  return item?.key === key ? item.id : undefined;
}

export function applyWork(pending: PendingWork, key: string, work: EntityWork): void {
  for (const number of work.finished) pending.inbox.delete(number);
  for (const item of work.accepted) pending.inbox.add(item);
  for (const message of work.sent) pending.outbox.set(message);
  for (const timer of work.timersSet) pending.timers.set(timer);
  for (const name of work.timersCleared) pending.timers.delete(timerName(key, name));
}

export function applyProgress(pending: PendingWork, progress: ShardProgress): void {
  const { inbox, outbox } = pending;
  for (const item of progress.items) inbox.advance(item);
  for (const number of progress.itemsDropped) inbox.delete(number);
  for (const count of progress.timersCounted) countTimer(pending, count);
  for (const release of progress.released) releaseTimer(pending, release);
  for (const { number, attempts, parked } of progress.messages) {
    const message = outbox.get(number);
    if (message !== undefined) outbox.set({ ...message, attempts, parked });
  }
  for (const number of progress.messagesSettled) outbox.delete(number);
}

function countTimer({ timers }: PendingWork, { key, name, generation, attempts }: TimerCount): void {
  const timer = timers.get(timerName(key, name));
  if (timer?.generation === generation) timers.set({ ...timer, attempts });
}

function releaseTimer({ timers, outbox }: PendingWork, { key, name, generation, message }: TimerRelease): void {
  if (timers.get(timerName(key, name))?.generation !== generation) return;
  timers.delete(timerName(key, name));
  outbox.set(message);
}

export function readPage(pending: PendingWork | undefined, read: PageRead): ReadResult {
  const { inbox, outbox, timers } = pending ?? noWork();
  switch (read.kind) {
    case "inboxOf":
      return { kind: "inboxOf", page: inbox.pageOf(read.key, read.after, read.limit) };
    case "inbox":
      return { kind: "inbox", page: inbox.page(read.after, read.limit) };
    case "outbox":
      return { kind: "outbox", page: structuredClone(outbox.page(read.after, read.limit)) };
    case "timers":
      return { kind: "timers", page: structuredClone(timers.page(read.after, read.limit)) };
  }
}
