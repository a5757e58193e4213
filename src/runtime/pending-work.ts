/**
 * Pending work as an operator sees it: durable commands in inboxes, messages in outboxes, and what pends at one entity.
 * Any node can tell, because all of it rests in the store; what is done about it is its owner's (operators.ts).
 */
import { SynodError } from "../errors.ts";
import type { Read, ReadResult, ShardId } from "../ports/store.ts";
import type { InboxItem, JournalEntry, OutboxMessage, Page, TimerPlace, TimerRow } from "../ports/work.ts";
import { shardOf } from "../values/hash.ts";
import { notAmong } from "../values/nearest.ts";
import type { Environment } from "./environment.ts";

/** `inbox`: durable commands that were accepted. `outbox`: messages that were sent. */
export type WorkBox = "inbox" | "outbox";

export interface WorkQuery {
  readonly boxes: readonly WorkBox[];
  /** Of entities of this service; of all services when left out. */
  readonly service?: string | undefined;
  /** Of the entities with this key: those that accepted, or that sent. */
  readonly key?: string | undefined;
  /** Only parked work, or only such that is not; both when left out. */
  readonly parked?: boolean | undefined;
  /** Only what was accepted, or sent, before this instant (ms since 1970). */
  readonly before?: number | undefined;
  /** The `next` of the page before. */
  readonly after?: string | undefined;
  /** At the most; 100 when left out. */
  readonly limit?: number | undefined;
}

export interface ParkedReport {
  readonly code: string;
  readonly message: string;
  /** Ms since 1970. */
  readonly at: number;
  /** What the handler threw in its last attempt, and where; absent when the message says all. No caller is told. */
  readonly thrown?: string;
}

/** A durable command or a message that is not finished. */
export interface WorkReport {
  /** `SERVICE/SHARD/NUMBER`: by which it is shown, tried again and dropped. */
  readonly id: string;
  readonly box: WorkBox;
  /** The entity that accepted or sent it. */
  readonly service: string;
  readonly key: string;
  readonly operation: string;
  /** Who gets the message; null for a durable command. */
  readonly to: { readonly service: string; readonly key: string | null } | null;
  /** Accepted, or sent; ms since 1970. */
  readonly since: number;
  readonly attempts: number;
  /** Why nobody tries it any more; null while somebody does. */
  readonly parked: ParkedReport | null;
  /** Whether it is parked and keeps its entity's turn all the same, because it may have made a call. */
  readonly holdsTurn: boolean;
  readonly principal: string;
  readonly request: string;
}

export interface WorkPage {
  readonly work: readonly WorkReport[];
  /** Ids of rows that do not match their checksums. */
  readonly damaged: readonly string[];
  /** Where to go on; null when there is nothing behind. A page may have less work than its limit, or none. */
  readonly next: string | null;
}

/** One of them with all that is known of it. */
export interface WorkDetails extends WorkReport {
  /** JSON text; null for an operation without input. */
  readonly input: string | null;
  /** What a durable command has issued so far, with the outcomes that are recorded here; empty for a message. */
  readonly journal: readonly JournalEntry[];
}

/** A timer of an entity, or a message of it that leaves later. */
export interface TimerReport {
  /** Null for a delayed message. */
  readonly name: string | null;
  /** Ms since 1970. */
  readonly dueAt: number;
  readonly operation: string;
  /** Who gets a delayed message; null for a timer. */
  readonly to: { readonly service: string; readonly key: string | null } | null;
}

/** All that pends at one entity. */
export interface EntityWorkReport {
  readonly inbox: readonly WorkReport[];
  readonly outbox: readonly WorkReport[];
  readonly timers: readonly TimerReport[];
  /** False when there may be more than was looked through. */
  readonly complete: boolean;
}

const limitDefault = 100;
/** Rows that one page is looked for in. */
const rowsMax = 10_000;
/** Rows that one read brings. */
const readRowsMax = 500;
/** Of each kind, what is told of one entity. */
const entityRowsMax = 100;

interface Place {
  readonly box: WorkBox;
  readonly shard: ShardId;
}

export async function readWork(environment: Environment, query: WorkQuery): Promise<WorkPage> {
  const { key, parked, before = Number.POSITIVE_INFINITY, limit = limitDefault } = query;
  const places = placesOf(environment, query);
  const work: WorkReport[] = [];
  const damaged: string[] = [];
  let rows = 0;
  let { index, number } = startOf(places, query.after);
  for (let place = places[index]; place !== undefined; place = places[index]) {
    if (work.length >= limit || rows >= rowsMax) return { work, damaged, next: nameOfPlace(place, number) };
    const page = await readRows(environment, place, number, Math.min(readRowsMax, limit - work.length));
    rows += page.rows.length + page.damaged.length;
    for (const { at } of page.damaged) damaged.push(idOf(place.shard, at));
    for (const row of page.rows) {
      const fits = (parked ?? row.parked !== null) === (row.parked !== null) && (key ?? row.key) === row.key;
      if (fits && sinceOf(row) < before) work.push(reportOf(place, row));
    }
    if (page.next === null) index += 1;
    number = page.next ?? 0;
  }
  return { work, damaged, next: null };
}

/** Rejects with `not_found` when it is finished, delivered, or never was. */
export async function readWorkDetails(environment: Environment, id: string): Promise<WorkDetails> {
  const { box, shard, number } = await findWork(environment, id);
  const [row] = (await readRows(environment, { box, shard }, number - 1, 1)).rows;
  if (row?.number !== number) throw new SynodError("data_loss", `${id} does not match its checksum`);
  const report = { ...reportOf({ box, shard }, row), input: row.input };
  if (box === "outbox") return { ...report, journal: [] };
  const read = { kind: "inboxOf", shard, key: row.key, after: number - 1, limit: 1 } as const;
  const result = readable(await environment.reader.read(read));
  const [item] = result.kind === "inboxOf" ? result.page.rows : [];
  return { ...report, journal: item?.number === number ? item.journal : [] };
}

export interface FoundWork extends Place {
  readonly number: number;
  /** Null when its row is damaged. */
  readonly report: WorkReport | null;
}

/** In which box of its shard it is; damaged rows are found too. */
export async function findWork(environment: Environment, id: string): Promise<FoundWork> {
  const { shard, number } = parseWorkId(environment, id);
  for (const box of ["inbox", "outbox"] as const) {
    const { rows, damaged } = await readRows(environment, { box, shard }, number - 1, 1);
    const [row] = rows;
    if (row?.number === number) return { box, shard, number, report: reportOf({ box, shard }, row) };
    if (damaged[0]?.at === number) return { box, shard, number, report: null };
  }
  throw new SynodError("not_found", `there is no pending work ${id}: it may be finished or delivered`);
}

export async function readEntityWork(environment: Environment, shard: ShardId, key: string): Promise<EntityWorkReport> {
  const { service } = shard;
  const read = { kind: "inboxOf", shard, key, after: 0, limit: entityRowsMax } as const;
  const [items, sent, timers] = await Promise.all([
    environment.reader.read(read).then(readable),
    readWork(environment, { boxes: ["outbox"], service, key, limit: entityRowsMax }),
    readTimers(environment, shard, key),
  ]);
  const inbox = items.kind === "inboxOf" ? items.page : { rows: [], next: null };
  return {
    inbox: inbox.rows.map((item) => reportOf({ box: "inbox", shard }, item)),
    outbox: sent.work,
    timers: timers.rows.map(timerReportOf),
    complete: inbox.next === null && sent.next === null && timers.complete,
  };
}

async function readTimers(
  { reader }: Environment,
  shard: ShardId,
  key: string,
): Promise<{ readonly rows: readonly TimerRow[]; readonly complete: boolean }> {
  const rows: TimerRow[] = [];
  let looked = 0;
  let after: TimerPlace | null = null;
  do {
    const read: Read = { kind: "timers", shard, after, limit: readRowsMax };
    const result: ReadResult = readable(await reader.read(read));
    if (result.kind !== "timers") break;
    rows.push(...result.page.rows.filter((row) => row.key === key));
    looked += result.page.rows.length;
    after = result.page.next;
  } while (after !== null && rows.length < entityRowsMax && looked < rowsMax);
  return { rows: rows.slice(0, entityRowsMax), complete: after === null && rows.length <= entityRowsMax };
}

/** In this order pages follow each other. */
function placesOf({ system, store }: Environment, { boxes, service, key }: WorkQuery): readonly Place[] {
  const keyed = system.services.filter(({ state }) => state !== undefined).map((known) => known.interface.name);
  if (service !== undefined && !keyed.includes(service)) {
    throw notAmong(`no service ${service} has entities`, service, keyed);
  }
  const { shardsPerService } = store.identity;
  const numbers = (name: string): readonly number[] =>
    key === undefined ? Array.from({ length: shardsPerService }, (_, n) => n) : [shardOf(name, key, shardsPerService)];
  const names = service === undefined ? keyed : [service];
  return boxes.flatMap((box) =>
    names.flatMap((name) => numbers(name).map((number) => ({ box, shard: { service: name, number } }))),
  );
}

function startOf(places: readonly Place[], after: string | undefined): { index: number; number: number } {
  if (after === undefined) return { index: 0, number: 0 };
  const slash = after.lastIndexOf("/");
  const index = places.findIndex((place) => nameOfPlace(place, "") === after.slice(0, slash + 1));
  const number = Number(after.slice(slash + 1));
  if (index >= 0 && Number.isSafeInteger(number) && number >= 0) return { index, number };
  throw new SynodError("invalid_argument", `${after} is not where a page of this question can begin`);
}

function nameOfPlace({ box, shard }: Place, number: number | ""): string {
  return `${box}/${shard.service}/${shard.number}/${number}`;
}

export function idOf({ service, number: shard }: ShardId, number: number): string {
  return `${service}/${shard}/${number}`;
}

function parseWorkId(environment: Environment, id: string): { readonly shard: ShardId; readonly number: number } {
  const [, service = "", shard, number] = /^([^/]+)\/(\d{1,9})\/(\d{1,15})$/.exec(id) ?? [];
  const known = environment.system.services.some((one) => one.interface.name === service && one.state !== undefined);
  if (known && Number(shard) < environment.store.identity.shardsPerService) {
    return { shard: { service, number: Number(shard) }, number: Number(number) };
  }
  throw new SynodError("invalid_argument", `pending work has an id like transfer/17/204, unlike ${JSON.stringify(id)}`);
}

async function readRows(
  { reader }: Environment,
  { box, shard }: Place,
  after: number,
  limit: number,
): Promise<Page<InboxItem | OutboxMessage, number>> {
  const result = readable(await reader.read({ kind: box, shard, after, limit }));
  if (result.kind === "inbox" || result.kind === "outbox") return result.page;
  throw new SynodError("internal", `an ${box} is read as an ${box}`);
}

function readable(result: ReadResult): Exclude<ReadResult, { kind: "corrupt" }> {
  if (result.kind === "corrupt") throw result.error;
  return result;
}

function reportOf({ box, shard }: Place, row: InboxItem | OutboxMessage): WorkReport {
  const { number, key, operation, attempts, parked, principal, request } = row;
  return {
    id: idOf(shard, number),
    box,
    service: shard.service,
    key,
    operation,
    to: "target" in row ? { service: row.service, key: row.target } : null,
    since: sinceOf(row),
    attempts,
    parked: parked === null ? null : (JSON.parse(parked) as WorkReport["parked"]),
    holdsTurn: "holdsTurn" in row && row.holdsTurn,
    principal,
    request,
  };
}

function sinceOf(row: InboxItem | OutboxMessage): number {
  return "target" in row ? row.sentAt : row.acceptedAt;
}

function timerReportOf({ name, dueAt, operation, service, target }: TimerRow): TimerReport {
  return service === null
    ? { name, dueAt, operation, to: null }
    : { name: null, dueAt, operation, to: { service, key: target } };
}
