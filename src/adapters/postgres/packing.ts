/**
 * Commit batches as the arguments of `commit_batch`: arrays that run side by side, in PostgreSQL's text form, and one JSON
 * document for pending work and floors, which is null when a batch has neither.
 */
import {
  entityChecksum,
  entryChecksum,
  itemChecksum,
  itemProgressChecksum,
  messageChecksum,
  messageProgressChecksum,
  recordChecksum,
  timerChecksum,
  timerCountChecksum,
} from "../../ports/checksums.ts";
import type { CommitBatch, EntityChange, SessionFloor, ShardChanges, ShardId } from "../../ports/store.ts";
import type { EntityWork, InboxItem, OutboxMessage, ShardProgress, TimerRow } from "../../ports/work.ts";
import { sessionRecordId, sessionRecordRange } from "../../values/ids.ts";
import type { ShardVersion } from "./state-versions.ts";

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for.
const controls = /[\u0000-\u001f]/;

/** What a change does to its row; the numbers that `commit_batch` knows. */
const kinds = { add: 1, change: 2, remove: 3, keep: 4 } as const;

/**
 * The arguments, in the order of the function's parameters. `lane` counts from 1; `raised` has the state versions
 * that have to be said, one for each shard.
 */
export function packBatch(
  { incarnation, shards }: CommitBatch,
  lane: number,
  raised: readonly (ShardVersion | null)[],
): readonly (string | number | null)[] {
  return [
    incarnation,
    lane,
    texts(shards.map(({ shard }) => shard.service)),
    numbers(shards.map(({ shard }) => shard.number)),
    numbers(shards.map(({ epoch }) => epoch)),
    numbers(shards.map(({ sessionNext }) => sessionNext)),
    numbers(shards.map(lastNumber)),
    numbers(raised.map((version) => version?.stateVersion ?? null)),
    ...packEntities(shards),
    ...packRecords(shards),
    packWork(shards),
  ];
}

/**
 * In one pass, and as text from the start: this and the next are what a batch of many entities costs the node's thread.
 */
function packEntities(shards: readonly ShardChanges[]): readonly string[] {
  const counts = [0, 0, 0, 0];
  let at = "";
  let kinds = "";
  let keys = "";
  let expected = "";
  let versions = "";
  let stateVersions = "";
  let states = "";
  let checksums = "";
  let comma = "";
  for (let index = 0; index < shards.length; index++) {
    const { shard, entities } = shards[index]!;
    for (const change of entities) {
      const { key, expectedVersion, version, stateVersion, state } = change;
      const kind = kindOf(change);
      counts[kind - 1]!++;
      at += comma + (index + 1);
      kinds += comma + kind;
      keys += comma + quotedText(key);
      expected += comma + expectedVersion;
      versions += comma + version;
      stateVersions += comma + stateVersion;
      states += comma + (state === null ? "NULL" : quotedText(state));
      const sum = state === null ? "NULL" : entityChecksum(shard.service, key, { version, stateVersion, state });
      checksums += comma + sum;
      comma = ",";
    }
  }
  const all = [at, kinds, keys, expected, versions, stateVersions, states, checksums];
  return [...all.map((column) => `{${column}}`), numbers(counts)];
}

function packRecords(shards: readonly ShardChanges[]): readonly string[] {
  const at: number[] = [];
  const entity: number[] = [];
  const records: Recorded[] = [];
  const checksums: number[] = [];
  /** What it is when its timed key turns out to be forgotten. */
  const opaqueChecksums: (number | null)[] = [];
  let place = 0;
  for (let index = 0; index < shards.length; index++) {
    const { shard, entities } = shards[index]!;
    for (const change of entities) {
      place++;
      for (const record of change.records) {
        at.push(index + 1);
        entity.push(place);
        records.push(record);
        checksums.push(recordChecksum(shard.service, record));
        opaqueChecksums.push(opaqueChecksum(shard.service, record));
      }
    }
  }
  return [
    numbers(at),
    numbers(entity),
    texts(records.map(({ id }) => id)),
    texts(records.map(({ inputHash }) => inputHash)),
    texts(records.map(({ reply }) => reply)),
    numbers(records.map(({ finishedAt }) => finishedAt)),
    numbers(records.map(({ keyTime }) => keyTime)),
    numbers(checksums),
    numbers(opaqueChecksums),
  ];
}

function kindOf({ state, expectedVersion, version }: EntityChange): number {
  if (state !== null) return expectedVersion === 0 ? kinds.add : kinds.change;
  return version === expectedVersion ? kinds.keep : kinds.remove;
}

type Recorded = EntityChange["records"][number];

function opaqueChecksum(service: string, record: Recorded): number | null {
  return record.keyTime === null ? null : recordChecksum(service, { ...record, keyTime: null });
}

/** The highest number or generation that the changes use; 0 when they use none. */
function lastNumber({ entities, progress }: ShardChanges): number {
  let last = 0;
  for (const { work } of entities) {
    if (work === null) continue;
    for (const { number } of work.accepted) last = Math.max(last, number);
    for (const { number } of work.sent) last = Math.max(last, number);
    for (const { generation } of work.timersSet) last = Math.max(last, generation);
  }
  for (const { message } of progress?.released ?? []) last = Math.max(last, message.number);
  return last;
}

/** The document that the functions of `work-sql.ts` read. */
class WorkDocument {
  readonly accepted: object[] = [];
  readonly finished: object[] = [];
  readonly sent: object[] = [];
  readonly set: object[] = [];
  readonly cleared: object[] = [];
  progress = false;
  readonly items: object[] = [];
  readonly entries: object[] = [];
  readonly dropped: object[] = [];
  readonly counted: object[] = [];
  readonly released: object[] = [];
  readonly messages: object[] = [];
  readonly settled: object[] = [];
  readonly floors: object[] = [];

  addEntity(at: number, id: ShardId, entity: number, key: string, work: EntityWork): void {
    this.accepted.push(...work.accepted.map((item) => packItem(at, id, entity, item)));
    this.finished.push(...work.finished.map((number) => ({ shard: at, entity, number })));
    this.sent.push(...work.sent.map((message) => ({ ...packMessage(at, id, message), entity })));
    this.set.push(...work.timersSet.map((timer) => packTimer(at, id, timer)));
    this.cleared.push(...work.timersCleared.map((name) => ({ shard: at, key, name })));
  }

  addProgress(at: number, id: ShardId, progress: ShardProgress): void {
    this.progress = true;
    for (const item of progress.items) {
      const { number, attempts, parked, holdsTurn, journal } = item;
      this.items.push({ shard: at, number, attempts, parked, holdsTurn, checksum: itemProgressChecksum(id, item) });
      this.entries.push(
        ...journal.map((entry) => ({ ...entry, shard: at, item: number, checksum: entryChecksum(id, number, entry) })),
      );
    }
    this.dropped.push(...progress.itemsDropped.map((number) => ({ shard: at, number })));
    for (const count of progress.timersCounted) {
      this.counted.push({ ...count, shard: at, checksum: timerCountChecksum(id, count) });
    }
    for (const { key, name, generation, message } of progress.released) {
      this.released.push({ ...packMessage(at, id, message), key, name, generation });
    }
    for (const message of progress.messages) {
      this.messages.push({ shard: at, ...message, checksum: messageProgressChecksum(id, message) });
    }
    this.settled.push(...progress.messagesSettled.map((number) => ({ shard: at, number })));
  }
}

function packWork(shards: readonly ShardChanges[]): string | null {
  let work: WorkDocument | null = null;
  let entity = 0;
  for (const [index, { shard, entities, progress, floors }] of shards.entries()) {
    const at = index + 1;
    for (const change of entities) {
      entity++;
      if (change.work === null) continue;
      work ??= new WorkDocument();
      work.addEntity(at, shard, entity, change.key, change.work);
    }
    if (progress === null && floors.length === 0) continue;
    work ??= new WorkDocument();
    if (progress !== null) work.addProgress(at, shard, progress);
    work.floors.push(...floors.map((floor) => packFloor(at, floor)));
  }
  return work === null ? null : JSON.stringify(work);
}

function packItem(at: number, shard: ShardId, entity: number, item: InboxItem): object {
  const { call, key: _, ...rest } = item;
  return {
    ...rest,
    shard: at,
    entity,
    callSession: call?.session ?? null,
    callNumber: call?.number ?? null,
    checksum: itemChecksum(shard, item),
    progressChecksum: itemProgressChecksum(shard, item),
  };
}

function packMessage(at: number, shard: ShardId, message: OutboxMessage): object {
  const checksum = messageChecksum(shard, message);
  return { ...message, shard: at, checksum, progressChecksum: messageProgressChecksum(shard, message) };
}

function packTimer(at: number, shard: ShardId, timer: TimerRow): object {
  return { ...timer, shard: at, checksum: timerChecksum(shard, timer) };
}

function packFloor(at: number, { session, floor, open }: SessionFloor): object {
  const openIds = open.map((number) => sessionRecordId(session, number));
  return { shard: at, session, floor, open, ...packRange(session, floor), openIds };
}

/** Where a session's records stand; all of them without `below`. `base` is as long as the part of an id before a suffix. */
export function packRange(session: string, below?: number): { from: string; to: string; base: string } {
  return { ...sessionRecordRange(session, below), base: sessionRecordId(session, 0) };
}

/** An array of numbers in PostgreSQL's text form. */
export function numbers(list: readonly (number | null)[]): string {
  let text = "";
  for (const value of list) text += text === "" ? (value ?? "NULL") : `,${value ?? "NULL"}`;
  return `{${text}}`;
}

/** An array of texts in PostgreSQL's text form. */
export function texts(list: readonly (string | null)[]): string {
  let text = "";
  for (const value of list) {
    if (text !== "") text += ",";
    text += value === null ? "NULL" : quotedText(value);
  }
  return `{${text}}`;
}

/** What an array of PostgreSQL escapes is what a string of JSON escapes as well, unless it holds a control character. */
function quotedText(text: string): string {
  if (!text.includes('"') && !text.includes("\\")) return `"${text}"`;
  return controls.test(text) ? `"${text.replaceAll(/["\\]/g, "\\$&")}"` : JSON.stringify(text);
}
