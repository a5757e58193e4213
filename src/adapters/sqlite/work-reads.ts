/** Pages of pending work in SQL. */
import type { DatabaseSync } from "node:sqlite";
import type { PageRead, ReadResult } from "../../ports/store.ts";
import {
  pageOfStored,
  type StoredEntry,
  type StoredItem,
  type StoredMessage,
  type StoredTimer,
} from "../../ports/stored-work.ts";

/** Columns under the names that rows have in stored-work.ts. */
export const itemColumns = `number, key, operation, input, id, input_hash AS inputHash, key_time AS keyTime,
  call_session AS callSession, call_number AS callNumber, principal, request, traceparent, accepted_at AS acceptedAt,
  checksum, attempts, parked, holds_turn AS holdsTurn, progress_checksum AS progressChecksum`;

export const messageColumns = `number, key, target_service AS service, target_key AS target, operation, input, principal,
  request, traceparent, sent_at AS sentAt, checksum, attempts, parked, progress_checksum AS progressChecksum`;

export const timerColumns = `t.key, t.name, t.generation, t.due_at AS dueAt, t.target_service AS service,
  t.target_key AS target, t.operation, t.input, t.principal, t.request, t.traceparent, t.checksum,
  coalesce(c.attempts, 0) AS attempts, c.checksum AS countChecksum`;

export const countedTimers = `timers t LEFT JOIN timer_counts c ON c.service = t.service AND c.shard = t.shard AND c.key = t.key
  AND c.name = t.name AND c.generation = t.generation`;

/** Prepares the reading of pages; raises what SQLite cannot read at all. */
export function pagesOf(database: DatabaseSync, path: string): (read: PageRead) => ReadResult {
  const itemsOf = itemReader(database);
  const journal = database.prepare(
    `SELECT id, name, input_hash AS inputHash, outcome, checksum FROM journal
     WHERE service = ? AND shard = ? AND item = ? ORDER BY rowid`,
  );
  const messages = database.prepare(
    `SELECT ${messageColumns} FROM outbox WHERE service = ? AND shard = ? AND number > ? ORDER BY number LIMIT ?`,
  );
  const timersOf = timerReader(database);

  return (read) => {
    const { service, number: shard } = read.shard;
    const stored = {
      items: () => itemsOf(read),
      journal: ({ number }: StoredItem) => journal.all(service, shard, number) as unknown as StoredEntry[],
      messages: () => messages.all(service, shard, afterNumber(read), read.limit) as unknown as StoredMessage[],
      timers: () => timersOf(read),
    };
    return pageOfStored(read, stored, path);
  };
}

function itemReader(database: DatabaseSync): (read: PageRead) => StoredItem[] {
  const all = database.prepare(
    `SELECT ${itemColumns} FROM inbox WHERE service = ? AND shard = ? AND number > ? ORDER BY number LIMIT ?`,
  );
  // Named, because SQLite knows no figures of its tables here and takes the first index that gives the order.
  const ofKey = database.prepare(
    `SELECT ${itemColumns} FROM inbox INDEXED BY inbox_by_key WHERE service = ? AND shard = ? AND key = ? AND number > ?
     ORDER BY number LIMIT ?`,
  );
  return (read) => {
    const { service, number } = read.shard;
    const after = afterNumber(read);
    const rows =
      read.kind === "inboxOf"
        ? ofKey.all(service, number, read.key, after, read.limit)
        : all.all(service, number, after, read.limit);
    return rows as unknown as StoredItem[];
  };
}

function timerReader(database: DatabaseSync): (read: PageRead) => StoredTimer[] {
  const shown = `SELECT ${timerColumns} FROM ${countedTimers} WHERE t.service = ? AND t.shard = ?`;
  const order = "ORDER BY t.due_at, t.key, t.name LIMIT ?";
  const first = database.prepare(`${shown} ${order}`);
  const after = database.prepare(`${shown} AND (t.due_at, t.key, t.name) > (?, ?, ?) ${order}`);
  return ({ shard: { service, number }, after: last, limit }) => {
    const rows =
      last === null || typeof last === "number"
        ? first.all(service, number, limit)
        : after.all(service, number, last.dueAt, last.key, last.name, limit);
    return rows as unknown as StoredTimer[];
  };
}

/** The place after which a page begins that is ordered by numbers. */
function afterNumber({ after }: PageRead): number {
  return typeof after === "number" ? after : 0;
}
