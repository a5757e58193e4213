/** Pending work in SQL: what commits do to inbox, journal, outbox and timers. Bodies of transactions. */
import type { DatabaseSync } from "node:sqlite";
import {
  entryChecksum,
  itemChecksum,
  itemProgressChecksum,
  messageChecksum,
  messageProgressChecksum,
  timerChecksum,
  timerCountChecksum,
} from "../../ports/checksums.ts";
import type { CallRecord, EntityChange, ShardChanges, ShardId } from "../../ports/store.ts";
import type {
  EntityWork,
  InboxItem,
  ItemProgress,
  OutboxMessage,
  ShardProgress,
  TimerCount,
  TimerRelease,
  TimerRow,
} from "../../ports/work.ts";

export interface WorkWriter {
  /** False when a number is taken, or an item that is to be finished is not the entity's. */
  apply(shard: ShardId, key: string, work: EntityWork): boolean;
  advance(shard: ShardId, progress: ShardProgress): void;
  /** The number of a message that is to come out of a timer and is in the outbox already. */
  takenNumber(changes: ShardChanges): number | undefined;
  /** Whether the record is that of an item which the change finishes. */
  isOfFinishedItem(shard: ShardId, change: EntityChange, record: CallRecord): boolean;
}

export function workWriterOf(database: DatabaseSync): WorkWriter {
  const items = itemWriter(database);
  const messages = messageWriter(database);
  const timers = timerWriter(database);

  const release = (shard: ShardId, { key, name, generation, message }: TimerRelease): void => {
    if (timers.removeGeneration(shard, key, name, generation)) messages.add(shard, message);
  };

  return {
    apply: (shard, key, { finished, accepted, sent, timersSet, timersCleared }) => {
      let isCurrent = true;
      for (const number of finished) isCurrent = items.finish(shard, number, key) && isCurrent;
      for (const item of accepted) isCurrent = items.add(shard, item) && isCurrent;
      for (const message of sent) isCurrent = messages.add(shard, message) && isCurrent;
      for (const timer of timersSet) timers.set(shard, timer);
      for (const name of timersCleared) timers.clear(shard, key, name);
      return isCurrent;
    },
    advance: (shard, progress) => {
      for (const item of progress.items) items.advance(shard, item);
      for (const number of progress.itemsDropped) items.drop(shard, number);
      for (const count of progress.timersCounted) timers.count(shard, count);
      for (const each of progress.released) release(shard, each);
      for (const message of progress.messages) messages.advance(shard, message);
      for (const number of progress.messagesSettled) messages.settle(shard, number);
    },
    takenNumber: ({ shard, progress }) => {
      const taken = progress?.released.find(({ message }) => messages.has(shard, message.number));
      return taken?.message.number;
    },
    isOfFinishedItem: (shard, { key, work }, { id }) =>
      work?.finished.some((number) => items.idOf(shard, number, key) === id) ?? false,
  };
}

function itemWriter(database: DatabaseSync) {
  const insert = database.prepare(`INSERT INTO inbox VALUES (${places(20)}) ON CONFLICT DO NOTHING`);
  const itemId = database.prepare("SELECT id FROM inbox WHERE service = ? AND shard = ? AND number = ? AND key = ?");
  const update = database.prepare(
    `UPDATE inbox SET attempts = ?, parked = ?, holds_turn = ?, progress_checksum = ?
     WHERE service = ? AND shard = ? AND number = ?`,
  );
  const removeOf = database.prepare("DELETE FROM inbox WHERE service = ? AND shard = ? AND number = ? AND key = ?");
  const remove = database.prepare("DELETE FROM inbox WHERE service = ? AND shard = ? AND number = ?");
  const orReplace = `ON CONFLICT (service, shard, item, id) DO UPDATE SET
    name = excluded.name, input_hash = excluded.input_hash, outcome = excluded.outcome, checksum = excluded.checksum`;
  const putEntry = database.prepare(`INSERT INTO journal VALUES (${places(8)}) ${orReplace}`);
  // Nearly always the item stays as it was, and then its row need not be written for an entry of its journal.
  const putEntryAsItIs = database.prepare(
    `INSERT INTO journal SELECT ${places(8)} FROM inbox WHERE service = ? AND shard = ? AND number = ?
       AND attempts = ? AND parked IS ? AND holds_turn = ? AND progress_checksum = ? ${orReplace}`,
  );
  const removeJournal = database.prepare("DELETE FROM journal WHERE service = ? AND shard = ? AND item = ?");

  return {
    add: (shard: ShardId, item: InboxItem): boolean => {
      const { number, key, operation, input, id, inputHash, keyTime, call, principal, request, traceparent } = item;
      const caller = [call?.session ?? null, call?.number ?? null];
      const accepted = [principal, request, traceparent, item.acceptedAt, itemChecksum(shard, item)];
      const progress = [item.attempts, item.parked, Number(item.holdsTurn), itemProgressChecksum(shard, item)];
      const what = [number, key, operation, input, id, inputHash, keyTime];
      const { service, number: at } = shard;
      return insert.run(service, at, ...what, ...caller, ...accepted, ...progress).changes === 1;
    },
    idOf: ({ service, number: at }: ShardId, number: number, key: string): string | undefined => {
      return (itemId.get(service, at, number, key) as { id: string } | undefined)?.id;
    },
    finish: ({ service, number: at }: ShardId, number: number, key: string): boolean => {
      if (removeOf.run(service, at, number, key).changes !== 1) return false;
      removeJournal.run(service, at, number);
      return true;
    },
    drop: ({ service, number: at }: ShardId, number: number): void => {
      if (remove.run(service, at, number).changes === 1) removeJournal.run(service, at, number);
    },
    advance: (shard: ShardId, item: ItemProgress): void => {
      const { service, number: at } = shard;
      const { number, attempts, parked, holdsTurn, journal } = item;
      const state = [attempts, parked, Number(holdsTurn), itemProgressChecksum(shard, item)] as const;
      const entries = journal.map((entry) => {
        const { id, name, inputHash, outcome } = entry;
        return [service, at, number, id, name, inputHash, outcome, entryChecksum(shard, number, entry)] as const;
      });
      const isDone = (entry: (typeof entries)[number]): boolean =>
        putEntryAsItIs.run(...entry, service, at, number, ...state).changes === 1;
      if (entries.length > 0 && entries.every(isDone)) return;
      if (update.run(...state, service, at, number).changes === 0) return;
      for (const entry of entries) putEntry.run(...entry);
    },
  };
}

function messageWriter(database: DatabaseSync) {
  const insert = database.prepare(`INSERT INTO outbox VALUES (${places(16)}) ON CONFLICT DO NOTHING`);
  const find = database.prepare("SELECT 1 FROM outbox WHERE service = ? AND shard = ? AND number = ?");
  const update = database.prepare(
    `UPDATE outbox SET attempts = ?, parked = ?, progress_checksum = ? WHERE service = ? AND shard = ? AND number = ?`,
  );
  const remove = database.prepare("DELETE FROM outbox WHERE service = ? AND shard = ? AND number = ?");

  return {
    add: (shard: ShardId, message: OutboxMessage): boolean => {
      const { number, key, service, target, operation, input, principal, request, traceparent, sentAt } = message;
      const what = [number, key, service, target, operation, input, principal, request, traceparent, sentAt];
      const progress = [message.attempts, message.parked, messageProgressChecksum(shard, message)];
      const sum = messageChecksum(shard, message);
      return insert.run(shard.service, shard.number, ...what, sum, ...progress).changes === 1;
    },
    has: ({ service, number: at }: ShardId, number: number): boolean => find.get(service, at, number) !== undefined,
    advance: (shard: ShardId, message: ShardProgress["messages"][number]): void => {
      const { number, attempts, parked } = message;
      update.run(attempts, parked, messageProgressChecksum(shard, message), shard.service, shard.number, number);
    },
    settle: ({ service, number: at }: ShardId, number: number): void => void remove.run(service, at, number),
  };
}

function timerWriter(database: DatabaseSync) {
  const put = database.prepare(`INSERT OR REPLACE INTO timers VALUES (${places(14)})`);
  const remove = database.prepare("DELETE FROM timers WHERE service = ? AND shard = ? AND key = ? AND name = ?");
  const removeGeneration = database.prepare(
    "DELETE FROM timers WHERE service = ? AND shard = ? AND key = ? AND name = ? AND generation = ?",
  );
  const putCount = database.prepare(
    `INSERT OR REPLACE INTO timer_counts SELECT service, shard, key, name, generation, ?, ? FROM timers
     WHERE service = ? AND shard = ? AND key = ? AND name = ? AND generation = ?`,
  );
  const removeCount = database.prepare(
    "DELETE FROM timer_counts WHERE service = ? AND shard = ? AND key = ? AND name = ?",
  );

  return {
    set: (shard: ShardId, timer: TimerRow): void => {
      // A count of an earlier one of this name stays for now: it has another generation.
      const { key, name, generation, dueAt, service, target, operation, input } = timer;
      const { principal, request, traceparent } = timer;
      const what = [key, name, generation, dueAt, service, target, operation, input, principal, request, traceparent];
      put.run(shard.service, shard.number, ...what, timerChecksum(shard, timer));
    },
    clear: ({ service, number: at }: ShardId, key: string, name: string): void => {
      remove.run(service, at, key, name);
      removeCount.run(service, at, key, name);
    },
    count: (shard: ShardId, count: TimerCount): void => {
      const { key, name, generation, attempts } = count;
      putCount.run(attempts, timerCountChecksum(shard, count), shard.service, shard.number, key, name, generation);
    },
    removeGeneration: ({ service, number: at }: ShardId, key: string, name: string, generation: number): boolean => {
      if (removeGeneration.run(service, at, key, name, generation).changes !== 1) return false;
      removeCount.run(service, at, key, name);
      return true;
    },
  };
}

function places(columns: number): string {
  return Array.from({ length: columns }, () => "?").join(", ");
}
