/**
 * Pending work in memory: inbox, outbox and timers of a shard, and what commits do to them. Whatever can be wrong is
 * asked before anything is written, as for the rest of a commit.
 */
import type { PageRead, ReadResult, ShardChanges } from "../../ports/store.ts";
import type { EntityWork, OutboxMessage, ShardProgress, TimerCount, TimerRelease } from "../../ports/work.ts";
import { Inbox } from "./inbox.ts";
import { OrderedRows } from "./ordered-rows.ts";
import { TimerRows } from "./timers.ts";

export interface PendingWork {
  readonly inbox: Inbox;
  readonly outbox: OrderedRows<OutboxMessage, number>;
  readonly timers: TimerRows;
}

export function noWork(): PendingWork {
  return {
    inbox: new Inbox(),
    outbox: new OrderedRows({
      nameOf: ({ number }) => number,
      placeOf: ({ number }) => number,
      compare: (a, b) => a - b,
    }),
    timers: new TimerRows(),
  };
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
  for (const name of work.timersCleared) pending.timers.delete(key, name);
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
  const timer = timers.get(key, name);
  if (timer?.generation === generation) timers.set({ ...timer, attempts });
}

function releaseTimer({ timers, outbox }: PendingWork, { key, name, generation, message }: TimerRelease): void {
  if (timers.get(key, name)?.generation !== generation) return;
  timers.delete(key, name);
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
      return { kind: "timers", page: timers.page(read.after, read.limit) };
  }
}
