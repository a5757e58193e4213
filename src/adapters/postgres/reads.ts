/**
 * Gathers reads: all that are asked for in one turn of the event loop, and while the last ones are under way, go to the
 * server in one statement. Every row is compared with its checksum before anybody builds on it.
 */
import { SynodError } from "../../errors.ts";
import { entityChecksum, recordChecksum } from "../../ports/checksums.ts";
import type { CallRecord, EntityRow, PageRead, Read, ReadResult, Store } from "../../ports/store.ts";
import {
  pageOfStored,
  type StoredEntry,
  type StoredItem,
  type StoredMessage,
  type StoredTimer,
} from "../../ports/stored-work.ts";
import { sessionCallOf, sessionRecordRange } from "../../values/ids.ts";
import { timelineNow } from "./timeline.ts";

/** Reads in one statement. */
const batchReadsMax = 1_000;
/** Requests that may wait for a statement. */
const requestsWaitingMax = 100_000;

interface Waiting {
  readonly reads: readonly Read[];
  readonly resolve: (results: ReadResult[]) => void;
  readonly reject: (error: unknown) => void;
}

export interface Reads {
  readonly read: Store["read"];
  /** Resolves when all that was asked for has been answered. */
  drained(): Promise<void>;
}

/** What `read_rows` answers: a row that the read at that place has found. */
export interface FoundRow {
  readonly place: number;
  readonly content: unknown;
}

/** Hands the documents of one statement to the server: to `read_rows` alone or with names of timers, or to the look for highest numbers. */
interface AskServer {
  rows(document: string): Promise<readonly FoundRow[]>;
  rowsAndTimers(document: string, timers: string): Promise<readonly FoundRow[]>;
  highest(document: string): Promise<readonly FoundRow[]>;
}

/** What every statement of reads ends with: the timeline of the server that has run it, in a row of its own. */
const timelineRow = `UNION ALL SELECT NULL, NULL, ${timelineNow}`;

export function rowsStatement(schema: string): string {
  return `SELECT place, content, NULL AS timeline FROM ${schema}.read_rows($1) ${timelineRow}`;
}

/**
 * The last id of each range. No function of the store's form, which older nodes have to know too: it is asked once for
 * each session and shard that is claimed.
 */
export function highestStatement(schema: string): string {
  return `SELECT asked.place, to_json(found.id) AS content, NULL AS timeline
    FROM json_to_recordset($1::json) AS asked(place int, service text, number int, first text, behind text)
    JOIN ${schema}.shards AS shard ON shard.service = asked.service AND shard.number = asked.number
    CROSS JOIN LATERAL (
      SELECT id FROM ${schema}.records AS record
      WHERE record.shard = shard.id AND id >= asked.first COLLATE "C" AND id < asked.behind COLLATE "C"
      ORDER BY id DESC LIMIT 1
    ) AS found
    ${timelineRow}`;
}

/**
 * Rows, and names of timers with them: an entity and its timers are asked for together, at every activation, and so they are
 * one statement. No function of the store's form either.
 */
export function rowsAndTimersStatement(schema: string): string {
  return `SELECT place, content, NULL AS timeline FROM ${schema}.read_rows($1)
    UNION ALL
    SELECT asked.place, to_json(found.name), NULL
    FROM json_to_recordset($2::json) AS asked(place int, service text, number int, key text, most bigint)
    JOIN ${schema}.shards AS shard ON shard.service = asked.service AND shard.number = asked.number
    CROSS JOIN LATERAL (
      SELECT name FROM ${schema}.timers AS timer
      WHERE timer.shard = shard.id AND timer.key = asked.key COLLATE "C"
      ORDER BY name LIMIT asked.most
    ) AS found
    ${timelineRow}`;
}

export function readsOf(ask: AskServer, name: string): Reads {
  let waiting: Waiting[] = [];
  let flushing: Promise<void> | undefined;

  const flush = async (): Promise<void> => {
    await endOfTurn();
    while (waiting.length > 0) {
      const batch = takeBatch(waiting);
      waiting = waiting.slice(batch.length);
      await answer(ask, batch, name);
    }
    flushing = undefined;
  };

  const read: Store["read"] = (reads) => {
    if (waiting.length >= requestsWaitingMax) {
      return Promise.reject(new SynodError("resource_exhausted", "too many reads wait for the store"));
    }
    return new Promise((resolve, reject) => {
      waiting.push({ reads: structuredClone(reads), resolve, reject });
      flushing ??= flush();
    });
  };

  return { read, drained: async () => await flushing };
}

function endOfTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** As many requests as fit into one statement, and at least one. */
function takeBatch(waiting: readonly Waiting[]): readonly Waiting[] {
  let size = 0;
  const fitting = waiting.findIndex(({ reads }, index) => {
    size += reads.length;
    return index > 0 && size > batchReadsMax;
  });
  return fitting < 0 ? waiting : waiting.slice(0, fitting);
}

async function answer(ask: AskServer, batch: readonly Waiting[], name: string): Promise<void> {
  const all = batch.flatMap(({ reads }) => reads);
  try {
    const found = await foundBy(ask, all);
    const rows: unknown[][] = all.map(() => []);
    for (const { place, content } of found) rows[place]!.push(content);
    const results = all.map((read, place) => resultOf(read, rows[place]!, name));
    let next = 0;
    for (const { reads, resolve } of batch) {
      resolve(results.slice(next, next + reads.length));
      next += reads.length;
    }
  } catch (error) {
    for (const { reject } of batch) reject(error);
  }
}

async function foundBy(ask: AskServer, reads: readonly Read[]): Promise<readonly FoundRow[]> {
  const document = documentOf(reads);
  const ranges = rangesOf(reads);
  const timers = timersOf(reads);
  const rows = (): Promise<readonly FoundRow[]> =>
    timers.length === 0
      ? ask.rows(JSON.stringify(document))
      : ask.rowsAndTimers(JSON.stringify(document), JSON.stringify(timers));
  const [found, highest] = await Promise.all([
    reads.length === ranges.length ? [] : rows(),
    ranges.length === 0 ? [] : ask.highest(JSON.stringify(ranges)),
  ]);
  return [...found, ...highest];
}

/** The entities whose timers are asked for. */
function timersOf(reads: readonly Read[]): readonly object[] {
  return reads.flatMap((read, place) => {
    if (read.kind !== "timersOf") return [];
    const { shard, key, limit: most } = read;
    return [{ place, service: shard.service, number: shard.number, key, most }];
  });
}

/** Where the records of sessions stand whose highest number is asked for. */
function rangesOf(reads: readonly Read[]): readonly object[] {
  return reads.flatMap((read, place) => {
    if (read.kind !== "highest") return [];
    const { from: first, to: behind } = sessionRecordRange(read.session);
    return [{ place, service: read.shard.service, number: read.shard.number, first, behind }];
  });
}

function documentOf(reads: readonly Read[]): Record<"entities" | "records" | "pages", object[]> {
  const document: ReturnType<typeof documentOf> = { entities: [], records: [], pages: [] };
  for (const [place, read] of reads.entries()) {
    const at = { place, service: read.shard.service, number: read.shard.number };
    if (read.kind === "entity") document.entities.push({ ...at, key: read.key });
    else if (read.kind === "record") document.records.push({ ...at, id: read.id });
    else if (read.kind !== "highest" && read.kind !== "timersOf") document.pages.push({ ...at, ...pageDocument(read) });
  }
  return document;
}

function pageDocument(read: PageRead): object {
  const { kind, limit, after } = read;
  if (typeof after === "number") return { kind, limit, after, ...(read.kind === "inboxOf" && { key: read.key }) };
  return { kind, limit, ...after };
}

function resultOf(read: Read, rows: readonly unknown[], name: string): ReadResult {
  const { service } = read.shard;
  if (read.kind === "entity") {
    if (rows[0] === undefined) return { kind: "entity", row: null };
    const { checksum, ...row } = rows[0] as EntityRow & { readonly checksum: number };
    if (entityChecksum(service, read.key, row) === checksum) return { kind: "entity", row };
    return mismatch(name, `state of ${service}/${JSON.stringify(read.key)}`);
  }
  if (read.kind === "record") {
    if (rows[0] === undefined) return { kind: "record", record: null };
    const { checksum, ...record } = rows[0] as CallRecord & { readonly checksum: number };
    if (recordChecksum(service, record) === checksum) return { kind: "record", record };
    return mismatch(name, `reply recorded under ${service}/${JSON.stringify(read.id)}`);
  }
  if (read.kind === "highest") {
    const id = rows[0] as string | undefined;
    return { kind: "highest", number: id === undefined ? 0 : (sessionCallOf(id)?.number ?? 0) };
  }
  if (read.kind === "timersOf") return { kind: "timersOf", names: rows as readonly string[] };
  return pageResult(read, rows, name);
}

interface JournaledRow {
  readonly item: StoredItem;
  readonly journal: readonly StoredEntry[];
}

function pageResult(read: PageRead, rows: readonly unknown[], name: string): ReadResult {
  const journaled = read.kind === "inboxOf" ? (rows as readonly JournaledRow[]) : [];
  const journals = new Map(journaled.map(({ item, journal }) => [item, journal]));
  const stored = {
    items: () => (read.kind === "inboxOf" ? [...journals.keys()] : (rows as readonly StoredItem[])),
    journal: (item: StoredItem) => journals.get(item) ?? [],
    messages: () => rows as readonly StoredMessage[],
    timers: () => rows as readonly StoredTimer[],
  };
  return pageOfStored(read, stored, name);
}

function mismatch(name: string, what: string): ReadResult {
  const message = `the ${what} in ${name} does not match its checksum: restore it from a backup`;
  return { kind: "corrupt", error: new SynodError("data_loss", message) };
}
