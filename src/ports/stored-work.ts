/**
 * Pending work as rows that stores keep on disk: the values of an item, message or timer beside their checksums. A row is
 * compared with its checksums before anybody builds on it; a damaged one is told by its place.
 */
import { SynodError } from "../errors.ts";
import {
  entryChecksum,
  itemChecksum,
  itemProgressChecksum,
  messageChecksum,
  messageProgressChecksum,
  timerChecksum,
  timerCountChecksum,
} from "./checksums.ts";
import type { PageRead, ReadResult, ShardId } from "./store.ts";
import type { InboxItem, JournalEntry, JournaledItem, OutboxMessage, Page, TimerPlace, TimerRow } from "./work.ts";

export interface StoredItem extends Omit<InboxItem, "call" | "holdsTurn"> {
  readonly callSession: string | null;
  readonly callNumber: number | null;
  readonly checksum: number;
  /** Some stores have numbers for it, 0 and 1. */
  readonly holdsTurn: boolean | number;
  readonly progressChecksum: number;
}

export type StoredEntry = JournalEntry & { readonly checksum: number };
export type StoredMessage = OutboxMessage & { readonly checksum: number; readonly progressChecksum: number };
export interface StoredTimer extends TimerRow {
  readonly checksum: number;
  /** Null when it was never counted. */
  readonly countChecksum: number | null;
}

/** How a store finds the rows of a page, in their order. */
export interface StoredRows {
  items(): readonly StoredItem[];
  /** Of an item, in the order of its entries. */
  journal(item: StoredItem): readonly StoredEntry[];
  messages(): readonly StoredMessage[];
  timers(): readonly StoredTimer[];
}

/** The page of what a store has found; `where` names the store. */
export function pageOfStored(read: PageRead, stored: StoredRows, where: string): ReadResult {
  const { shard, limit } = read;
  const at = `${shard.service}/${shard.number} in ${where}`;
  const inbox = { limit, placeOf: numberOf, nameOf: ({ number }: StoredItem) => `item ${number} of ${at}` };
  switch (read.kind) {
    case "inboxOf": {
      const decode = (row: StoredItem): JournaledItem | undefined => decodeJournaled(shard, row, stored.journal(row));
      return { kind: "inboxOf", page: pageOf(stored.items(), { ...inbox, decode }) };
    }
    case "inbox":
      return { kind: "inbox", page: pageOf(stored.items(), { ...inbox, decode: (row) => decodeItem(shard, row) }) };
    case "outbox": {
      const nameOf = ({ number }: StoredMessage): string => `message ${number} of ${at}`;
      const decode = (row: StoredMessage): OutboxMessage | undefined => decodeMessage(shard, row);
      return { kind: "outbox", page: pageOf(stored.messages(), { limit, placeOf: numberOf, nameOf, decode }) };
    }
    case "timers": {
      const nameOf = ({ key, name }: StoredTimer): string => `timer ${JSON.stringify([key, name])} of ${at}`;
      const decode = (row: StoredTimer): TimerRow | undefined => decodeTimer(shard, row);
      return { kind: "timers", page: pageOf(stored.timers(), { limit, placeOf: placeOfTimer, nameOf, decode }) };
    }
  }
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

function decodeItem(shard: ShardId, row: StoredItem): InboxItem | undefined {
  const { callSession, callNumber, checksum, progressChecksum, holdsTurn, ...rest } = row;
  const call = callSession === null || callNumber === null ? null : { session: callSession, number: callNumber };
  const item = { ...rest, call, holdsTurn: Boolean(holdsTurn) };
  const isWhole = itemChecksum(shard, item) === checksum && itemProgressChecksum(shard, item) === progressChecksum;
  return isWhole ? item : undefined;
}

/** Undefined when the item or an entry of its journal is damaged. */
function decodeJournaled(shard: ShardId, row: StoredItem, journal: readonly StoredEntry[]): JournaledItem | undefined {
  const item = decodeItem(shard, row);
  if (item === undefined) return undefined;
  const entries: JournalEntry[] = [];
  for (const { checksum, ...entry } of journal) {
    if (entryChecksum(shard, item.number, entry) !== checksum) return undefined;
    entries.push(entry);
  }
  return { ...item, journal: entries };
}

function decodeMessage(shard: ShardId, row: StoredMessage): OutboxMessage | undefined {
  const { checksum, progressChecksum, ...message } = row;
  const isWhole =
    messageChecksum(shard, message) === checksum && messageProgressChecksum(shard, message) === progressChecksum;
  return isWhole ? message : undefined;
}

function decodeTimer(shard: ShardId, row: StoredTimer): TimerRow | undefined {
  const { checksum, countChecksum, ...timer } = row;
  const isCounted = countChecksum === null ? timer.attempts === 0 : timerCountChecksum(shard, timer) === countChecksum;
  return isCounted && timerChecksum(shard, timer) === checksum ? timer : undefined;
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
