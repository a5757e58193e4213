/** Pages of pending work in SQL. Every row is compared with its checksums; a damaged one is told by its place. */
import type { DatabaseSync } from "node:sqlite";
import { SynodError } from "../../errors.ts";
import type { PageRead, ReadResult, ShardId } from "../../ports/store.ts";
import type {
  InboxItem,
  JournalEntry,
  JournaledItem,
  OutboxMessage,
  Page,
  TimerPlace,
  TimerRow,
} from "../../ports/work.ts";
import {
  entryChecksum,
  itemChecksum,
  itemProgressChecksum,
  messageChecksum,
  messageProgressChecksum,
  timerChecksum,
} from "./checksums.ts";

const itemColumns = `number, key, operation, input, id, input_hash AS inputHash, key_time AS keyTime,
  call_session AS callSession, call_number AS callNumber, principal, request, traceparent, accepted_at AS acceptedAt,
  checksum, attempts, parked, holds_turn AS holdsTurn, progress_checksum AS progressChecksum`;

interface ItemRow extends Omit<InboxItem, "call" | "holdsTurn"> {
  readonly callSession: string | null;
  readonly callNumber: number | null;
  readonly checksum: number;
  readonly holdsTurn: number;
  readonly progressChecksum: number;
}

const messageColumns = `number, key, target_service AS service, target_key AS target, operation, input, principal,
  request, traceparent, sent_at AS sentAt, checksum, attempts, parked, progress_checksum AS progressChecksum`;

type MessageRow = OutboxMessage & { readonly checksum: number; readonly progressChecksum: number };

const timerColumns = `key, name, generation, due_at AS dueAt, target_service AS service, target_key AS target,
  operation, input, principal, request, traceparent, checksum`;

type StoredTimer = TimerRow & { readonly checksum: number };

/** Prepares the reading of pages; raises what SQLite cannot read at all. */
export function pagesOf(database: DatabaseSync, path: string): (read: PageRead) => ReadResult {
  const items = itemReader(database);
  const messages = database.prepare(
    `SELECT ${messageColumns} FROM outbox WHERE service = ? AND shard = ? AND number > ? ORDER BY number LIMIT ?`,
  );
  const timers = timerReader(database);

  return (read) => {
    const { shard, limit } = read;
    const at = `${shard.service}/${shard.number} in ${path}`;
    const inbox = { limit, placeOf: numberOf, nameOf: ({ number }: ItemRow) => `item ${number} of ${at}` };
    switch (read.kind) {
      case "inboxOf": {
        const rows = items.ofKey(shard, read.key, read.after, limit);
        return { kind: "inboxOf", page: pageOf(rows, { ...inbox, decode: (row) => items.journaled(shard, row) }) };
      }
      case "inbox": {
        const rows = items.after(shard, read.after, limit);
        return { kind: "inbox", page: pageOf(rows, { ...inbox, decode: (row) => decodeItem(shard, row) }) };
      }
      case "outbox": {
        const rows = messages.all(shard.service, shard.number, read.after, limit) as unknown as MessageRow[];
        const nameOf = ({ number }: MessageRow): string => `message ${number} of ${at}`;
        const decode = (row: MessageRow): OutboxMessage | undefined => decodeMessage(shard, row);
        return { kind: "outbox", page: pageOf(rows, { limit, placeOf: numberOf, nameOf, decode }) };
      }
      case "timers": {
        const nameOf = ({ key, name }: StoredTimer): string => `timer ${JSON.stringify([key, name])} of ${at}`;
        const decode = (row: StoredTimer): TimerRow | undefined => decodeTimer(shard, row);
        const rows = timers(shard, read.after, limit);
        return { kind: "timers", page: pageOf(rows, { limit, placeOf: placeOfTimer, nameOf, decode }) };
      }
    }
  };
}

function pageOf<Stored, Row, Place>(
  stored: readonly Stored[],
  how: {
    readonly limit: number;
    readonly placeOf: (row: Stored) => Place;
    readonly nameOf: (row: Stored) => string;
    /** Undefined when a checksum does not match. */
    readonly decode: (row: Stored) => Row | undefined;
  },
): Page<Row, Place> {
  const rows: Row[] = [];
  const damaged: { readonly at: Place; readonly error: SynodError }[] = [];
  for (const each of stored) {
    const row = how.decode(each);
    if (row !== undefined) rows.push(row);
    else damaged.push({ at: how.placeOf(each), error: mismatch(how.nameOf(each)) });
  }
  const last = stored.at(-1);
  return { rows, damaged, next: last === undefined || stored.length < how.limit ? null : how.placeOf(last) };
}

function itemReader(database: DatabaseSync) {
  const after = database.prepare(
    `SELECT ${itemColumns} FROM inbox WHERE service = ? AND shard = ? AND number > ? ORDER BY number LIMIT ?`,
  );
  // Named, because SQLite knows no figures of its tables here and takes the first index that gives the order.
  const ofKey = database.prepare(
    `SELECT ${itemColumns} FROM inbox INDEXED BY inbox_by_key WHERE service = ? AND shard = ? AND key = ? AND number > ?
     ORDER BY number LIMIT ?`,
  );
  const journal = database.prepare(
    `SELECT id, name, input_hash AS inputHash, outcome, checksum FROM journal
     WHERE service = ? AND shard = ? AND item = ? ORDER BY rowid`,
  );

  return {
    after: ({ service, number }: ShardId, last: number, limit: number): ItemRow[] => {
      return after.all(service, number, last, limit) as unknown as ItemRow[];
    },
    ofKey: ({ service, number }: ShardId, key: string, last: number, limit: number): ItemRow[] => {
      return ofKey.all(service, number, key, last, limit) as unknown as ItemRow[];
    },
    /** Undefined when the item or an entry of its journal is damaged. */
    journaled: (shard: ShardId, row: ItemRow): JournaledItem | undefined => {
      const item = decodeItem(shard, row);
      if (item === undefined) return undefined;
      const entries: JournalEntry[] = [];
      for (const stored of journal.all(shard.service, shard.number, item.number)) {
        const { checksum, ...entry } = stored as unknown as JournalEntry & { readonly checksum: number };
        if (entryChecksum(shard, item.number, entry) !== checksum) return undefined;
        entries.push(entry);
      }
      return { ...item, journal: entries };
    },
  };
}

function timerReader(database: DatabaseSync) {
  const order = "ORDER BY due_at, key, name LIMIT ?";
  const first = database.prepare(`SELECT ${timerColumns} FROM timers WHERE service = ? AND shard = ? ${order}`);
  const after = database.prepare(
    `SELECT ${timerColumns} FROM timers WHERE service = ? AND shard = ? AND (due_at, key, name) > (?, ?, ?) ${order}`,
  );
  return ({ service, number }: ShardId, last: TimerPlace | null, limit: number): StoredTimer[] => {
    const rows =
      last === null
        ? first.all(service, number, limit)
        : after.all(service, number, last.dueAt, last.key, last.name, limit);
    return rows as unknown as StoredTimer[];
  };
}

function decodeItem(shard: ShardId, row: ItemRow): InboxItem | undefined {
  const { callSession, callNumber, checksum, progressChecksum, holdsTurn, ...rest } = row;
  const call = callSession === null || callNumber === null ? null : { session: callSession, number: callNumber };
  const item = { ...rest, call, holdsTurn: holdsTurn === 1 };
  const isWhole = itemChecksum(shard, item) === checksum && itemProgressChecksum(shard, item) === progressChecksum;
  return isWhole ? item : undefined;
}

function decodeMessage(shard: ShardId, row: MessageRow): OutboxMessage | undefined {
  const { checksum, progressChecksum, ...message } = row;
  const isWhole =
    messageChecksum(shard, message) === checksum && messageProgressChecksum(shard, message) === progressChecksum;
  return isWhole ? message : undefined;
}

function decodeTimer(shard: ShardId, row: StoredTimer): TimerRow | undefined {
  const { checksum, ...timer } = row;
  return timerChecksum(shard, timer) === checksum ? timer : undefined;
}

function numberOf({ number }: { readonly number: number }): number {
  return number;
}

function placeOfTimer({ dueAt, key, name }: StoredTimer): TimerPlace {
  return { dueAt, key, name };
}

function mismatch(what: string): SynodError {
  return new SynodError("data_loss", `${what} does not match its checksum: restore it from a backup`);
}
