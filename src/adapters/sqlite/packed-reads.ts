/** Reads and their results as flat arrays. */
import type { Read, ReadResult } from "../../ports/store.ts";
import type { Page, TimerPlace } from "../../ports/work.ts";
import { type PackedError, packError } from "./messages.ts";
import {
  packEntry,
  packItem,
  packList,
  packMessage,
  packTimer,
  type Scalar,
  type Unpacking,
  unpackEntry,
  unpackItem,
  unpacking,
  unpackMessage,
  unpackTimer,
} from "./packing.ts";

export type PackedReads = readonly Scalar[];
export type PackedReadResults = readonly (Scalar | PackedError)[];

export function packReads(reads: readonly Read[], packed: Scalar[] = []): Scalar[] {
  for (const read of reads) {
    packed.push(read.kind, read.shard.service, read.shard.number);
    switch (read.kind) {
      case "entity":
        packed.push(read.key);
        break;
      case "record":
        packed.push(read.id);
        break;
      case "highest":
        packed.push(read.session);
        break;
      case "timersOf":
        packed.push(read.key, read.limit);
        break;
      case "inboxOf":
        packed.push(read.key, read.after, read.limit);
        break;
      case "inbox":
      case "outbox":
        packed.push(read.after, read.limit);
        break;
      case "timers":
        packPlace(packed, read.after);
        packed.push(read.limit);
    }
  }
  return packed;
}

export function unpackReads(packed: PackedReads): Read[] {
  const values = unpacking(packed);
  const { text, number } = values;
  const reads: Read[] = [];
  while (!values.done) {
    const kind = text() as Read["kind"];
    const shard = { service: text(), number: number() };
    if (kind === "entity") reads.push({ kind, shard, key: text() });
    else if (kind === "record") reads.push({ kind, shard, id: text() });
    else if (kind === "highest") reads.push({ kind, shard, session: text() });
    else if (kind === "timersOf") reads.push({ kind, shard, key: text(), limit: number() });
    else if (kind === "inboxOf") reads.push({ kind, shard, key: text(), after: number(), limit: number() });
    else if (kind === "timers") reads.push({ kind, shard, after: unpackPlace(values), limit: number() });
    else reads.push({ kind, shard, after: number(), limit: number() });
  }
  return reads;
}

function packPlace(packed: unknown[], place: TimerPlace | null): void {
  packed.push(place?.dueAt ?? null, place?.key ?? null, place?.name ?? null);
}

function unpackPlace({ numberOrNull, textOrNull }: Unpacking): TimerPlace | null {
  const [dueAt, key, name] = [numberOrNull(), textOrNull(), textOrNull()];
  return dueAt === null || key === null || name === null ? null : { dueAt, key, name };
}

type Packed = (Scalar | PackedError)[];

export function packReadResults(results: readonly ReadResult[]): PackedReadResults {
  const packed: Packed = [];
  for (const result of results) packResult(packed, result);
  return packed;
}

function packResult(packed: Packed, result: ReadResult): void {
  switch (result.kind) {
    case "corrupt":
      packed.push("corrupt", packError(result.error));
      return;
    case "entity":
      if (result.row === null) packed.push("no entity");
      else packed.push("entity", result.row.version, result.row.stateVersion, result.row.state);
      return;
    case "highest":
      return void packed.push("highest", result.number);
    case "timersOf":
      packed.push("timersOf");
      return packList(packed, result.names, (name) => packed.push(name));
    case "record": {
      if (result.record === null) return void packed.push("no record");
      const { id, inputHash, reply, finishedAt, keyTime } = result.record;
      packed.push("record", id, inputHash, reply, finishedAt, keyTime);
      return;
    }
    default:
      packed.push(result.kind);
      packPage(packed, result);
  }
}

type PageResult = Extract<ReadResult, { readonly page: unknown }>;

function packPage(packed: Packed, result: PageResult): void {
  const packNumber = (number: number | null): void => void packed.push(number);
  switch (result.kind) {
    case "inboxOf":
      return packRows(packed, result.page, packNumber, (item) => {
        packItem(packed, item);
        packList(packed, item.journal, (entry) => packEntry(packed, entry));
      });
    case "inbox":
      return packRows(packed, result.page, packNumber, (item) => packItem(packed, item));
    case "outbox":
      return packRows(packed, result.page, packNumber, (message) => packMessage(packed, message));
    case "timers": {
      const place = (at: TimerPlace | null): void => packPlace(packed, at);
      return packRows(packed, result.page, place, (timer) => packTimer(packed, timer));
    }
  }
}

function packRows<Row, Place>(
  packed: Packed,
  { rows, damaged, next }: Page<Row, Place>,
  packNext: (place: Place | null) => void,
  packRow: (row: Row) => void,
): void {
  packList(packed, rows, packRow);
  packList(packed, damaged, ({ at, error }) => {
    packNext(at);
    packed.push(packError(error));
  });
  packNext(next);
}

/** Answers a function that takes the next result out. */
export function unpackReadResults(packed: PackedReadResults): () => ReadResult {
  const values = unpacking(packed);
  const { text, number, numberOrNull, list, error } = values;
  return () => {
    const kind = text();
    if (kind === "corrupt") return { kind, error: error() };
    if (kind === "no entity") return { kind: "entity", row: null };
    if (kind === "no record") return { kind: "record", record: null };
    if (kind === "highest") return { kind, number: number() };
    if (kind === "timersOf") return { kind, names: list(text) };
    if (kind === "entity") return { kind, row: { version: number(), stateVersion: number(), state: text() } };
    if (kind !== "record") return unpackPage(kind as PageResult["kind"], values);
    const record = {
      id: text(),
      inputHash: text(),
      reply: text(),
      finishedAt: numberOrNull(),
      keyTime: numberOrNull(),
    };
    return { kind, record };
  };
}

function unpackPage(kind: PageResult["kind"], values: Unpacking): PageResult {
  const { numberOrNull, list } = values;
  switch (kind) {
    case "inboxOf": {
      const row = () => ({ ...unpackItem(values), journal: list(() => unpackEntry(values)) });
      return { kind, page: unpackRows(values, numberOrNull, row) };
    }
    case "inbox":
      return { kind, page: unpackRows(values, numberOrNull, () => unpackItem(values)) };
    case "outbox":
      return { kind, page: unpackRows(values, numberOrNull, () => unpackMessage(values)) };
    case "timers":
      return {
        kind,
        page: unpackRows(
          values,
          () => unpackPlace(values),
          () => unpackTimer(values),
        ),
      };
  }
}

function unpackRows<Row, Place>(
  { list, error }: Unpacking,
  place: () => Place | null,
  row: () => Row,
): Page<Row, Place> {
  const rows = list(row);
  // A damaged row has a place; only what comes next may have none.
  const damaged = list(() => ({ at: place() as Place, error: error() }));
  return { rows, damaged, next: place() };
}
