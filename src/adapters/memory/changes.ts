/**
 * Commits, reads and trims, as functions from a database and a request to an answer. A commit first checks
 * everything and then writes everything, so that it is all or nothing without ever having to undo.
 */
import { SynodError } from "../../errors.ts";
import { batchFault } from "../../ports/batch.ts";
import type {
  CallRecord,
  CommitBatch,
  CommitResult,
  EntityChange,
  Read,
  ReadResult,
  SessionFloor,
  ShardChanges,
  ShardId,
  TrimRequest,
  TrimResult,
} from "../../ports/store.ts";
import { ungivenNumber } from "../../ports/work-form.ts";
import { sessionCallOf, sessionRecordId, sessionRecordRange } from "../../values/ids.ts";
import type { MemoryDatabase, ShardRow } from "./database.ts";
import { copyOfFloor, shardRow } from "./membership.ts";
import { applyProgress, applyWork, conflictsWith, itemId, readPage, takenNumber } from "./work.ts";

type Target = { readonly changes: ShardChanges; readonly row: ShardRow };

export function commit(database: MemoryDatabase, batch: CommitBatch): CommitResult {
  const fault = batchFault(batch);
  if (fault !== undefined) return { status: "refused", error: fault };
  const member = database.members.get(batch.incarnation);
  if (member === undefined) return { status: "ended" };

  const targets: Target[] = [];
  const fenced: ShardId[] = [];
  for (const changes of batch.shards) {
    const row = shardRow(database, changes.shard);
    if (row === undefined || row.owner !== batch.incarnation || row.epoch !== changes.epoch) {
      fenced.push({ ...changes.shard });
    } else {
      targets.push({ changes, row });
    }
  }
  if (fenced.length > 0) return { status: "fenced", shards: fenced };

  const refusal = targets.map(refusalOf).find((error) => error !== undefined);
  if (refusal !== undefined) return { status: "refused", error: refusal };
  const conflicts = targets.flatMap(conflictsOf);
  if (conflicts.length > 0) return { status: "conflict", entities: conflicts };

  for (const target of targets) write(database, target);
  if (database.commitsRenew) member.renewals++;
  return { status: "committed", renewed: database.commitsRenew };
}

function refusalOf(target: Target): SynodError | undefined {
  const { changes, row } = target;
  const number = ungivenNumber(changes, row.sessionNext) ?? takenNumber(row.pending, changes);
  if (number !== undefined) return wrongNumber(changes.shard, number);
  return changes.entities.some((entity) => hasForgottenKey(row, entity)) ? forgottenKey(changes.shard) : undefined;
}

function wrongNumber({ service, number }: ShardId, wrong: number): SynodError {
  return new SynodError("invalid_argument", `${wrong} is not for a commit of ${service}/${number} to use`);
}

function hasForgottenKey(row: ShardRow, entity: EntityChange): boolean {
  return entity.records.some((record) => isForgotten(row, record) && !isOfFinishedItem(row, entity, record));
}

function isForgotten({ watermark }: ShardRow, { keyTime }: CallRecord): boolean {
  return keyTime !== null && keyTime <= watermark;
}

function isOfFinishedItem({ pending }: ShardRow, { key, work }: EntityChange, { id }: CallRecord): boolean {
  return work?.finished.some((number) => itemId(pending, key, number) === id) ?? false;
}

function forgottenKey({ service, number }: ShardId): SynodError {
  const message = `${service}/${number} has forgotten timed keys as old as one in this batch`;
  return new SynodError("failed_precondition", message);
}

function conflictsOf({ changes, row }: Target): { shard: ShardId; key: string }[] {
  const conflicts = ({ key, expectedVersion, records, work }: EntityChange): boolean =>
    (row.entities.get(key)?.version ?? 0) !== expectedVersion ||
    records.some(({ id }) => row.records.has(id)) ||
    (work !== null && conflictsWith(row.pending, key, work));
  return changes.entities.filter(conflicts).map(({ key }) => ({ shard: { ...changes.shard }, key }));
}

function write(database: MemoryDatabase, { changes, row }: Target): void {
  let { stateVersion: highest } = row;
  for (const { key, version, stateVersion, state, records, work } of changes.entities) {
    if (state !== null) {
      row.entities.set(key, { version, stateVersion, state });
      highest = Math.max(highest, stateVersion);
    } else if (version === 0) row.entities.delete(key);
    for (const record of records) row.records.set(record.id, kept(row, record));
    if (work !== null) applyWork(row.pending, key, work);
  }
  if (changes.progress !== null) applyProgress(row.pending, changes.progress);
  for (const floor of changes.floors) raise(row, floor);
  row.sessionNext = changes.sessionNext ?? row.sessionNext;
  if (highest === row.stateVersion) return;
  row.stateVersion = highest;
  database.revision++;
}

/** A timed key that is forgotten already belongs to an item that was open for so long: its record becomes opaque. */
function kept(row: ShardRow, record: CallRecord): CallRecord {
  return isForgotten(row, record) ? { ...copyOf(record), keyTime: null } : copyOf(record);
}

/** The floor and the removal of what it settles belong together: what is gone is refused from then on. */
function raise(row: ShardRow, floor: SessionFloor): void {
  row.floors.set(floor.session, copyOfFloor(floor));
  const open = new Set(floor.open.map((number) => sessionRecordId(floor.session, number)));
  settle(row, floor.session, sessionRecordRange(floor.session, floor.floor), open);
}

function endSession(row: ShardRow, session: string): void {
  row.floors.delete(session);
  settle(row, session, sessionRecordRange(session), new Set());
}

/** An open number protects all records of its range: those of the calls that were derived from it, too. */
function settle(
  row: ShardRow,
  session: string,
  { from, to }: { from: string; to: string },
  open: ReadonlySet<string>,
): void {
  const { length } = sessionRecordId(session, 0);
  for (const [id, { finishedAt }] of row.records) {
    if (finishedAt === null && id >= from && id < to && !open.has(id.slice(0, length))) row.records.delete(id);
  }
}

export function read(database: MemoryDatabase, reads: readonly Read[]): ReadResult[] {
  return reads.map((wanted) => {
    const row = shardRow(database, wanted.shard);
    if (wanted.kind === "entity") {
      const entity = row?.entities.get(wanted.key);
      return { kind: "entity", row: entity === undefined ? null : { ...entity } };
    }
    if (wanted.kind === "highest") return { kind: "highest", number: highestOf(row, wanted.session) };
    if (wanted.kind === "timersOf") {
      return { kind: "timersOf", names: row?.pending.timers.namesOf(wanted.key, wanted.limit) ?? [] };
    }
    if (wanted.kind !== "record") return readPage(row?.pending, wanted);
    const record = row?.records.get(wanted.id);
    return { kind: "record", record: record === undefined ? null : copyOf(record) };
  });
}

function highestOf(row: ShardRow | undefined, session: string): number {
  let highest = 0;
  for (const id of row?.records.keys() ?? []) {
    const call = sessionCallOf(id);
    if (call?.session === session && call.number > highest) highest = call.number;
  }
  return highest;
}

function copyOf({ id, inputHash, reply, finishedAt, keyTime }: CallRecord): CallRecord {
  return { id, inputHash, reply, finishedAt, keyTime };
}

export function trim(database: MemoryDatabase, request: TrimRequest): TrimResult {
  const row = shardRow(database, request.shard);
  if (row === undefined || row.owner !== request.incarnation || row.epoch !== request.epoch) {
    return { status: "fenced" };
  }
  for (const session of request.endedSessions) endSession(row, session);
  const records = [...row.records.values()].filter(isKept);
  const opaque = records
    .filter(({ keyTime, finishedAt }) => keyTime === null && finishedAt < request.finishedBefore)
    .sort((a, b) => a.finishedAt - b.finishedAt)
    .slice(0, request.removeMax);
  const removeMax = request.removeMax - opaque.length;
  const timed = records
    .filter((record): record is TimedRecord => record.keyTime !== null)
    .sort((a, b) => a.keyTime - b.keyTime || a.finishedAt - b.finishedAt);
  row.watermark = watermarkAfter(row.watermark, timed, { ...request, removeMax });
  const forgotten = timed.filter(({ keyTime }) => keyTime <= row.watermark).slice(0, removeMax);
  for (const { id } of [...opaque, ...forgotten]) row.records.delete(id);
  const removed = opaque.length + forgotten.length;
  return { status: "trimmed", removed, more: removed >= request.removeMax, watermark: row.watermark };
}

/** A record with an age, as opposed to one that a floor removes. */
type KeptRecord = CallRecord & { readonly finishedAt: number };
type TimedRecord = KeptRecord & { readonly keyTime: number };

function isKept(record: CallRecord): record is KeptRecord {
  return record.finishedAt !== null;
}

/**
 * Timed records go in the order of their keys' own time, all of one instant together: when each of them is
 * past the window, or as long as too many would stay. The first instant that must stay ends the walk. `timed`
 * stands in the order of (keyTime, finishedAt).
 */
function watermarkAfter(before: number, timed: readonly TimedRecord[], request: TrimRequest): number {
  let watermark = before;
  let next = 0;
  while (next < timed.length && next < request.removeMax) {
    const instant = timed[next]!.keyTime;
    let last = next;
    while (timed[last + 1]?.keyTime === instant) last++;
    const tooMany = timed.length - next > request.timedRowsMax;
    const pastWindow = timed[last]!.finishedAt < request.finishedBefore;
    if (instant > watermark && (instant > request.timedCap || !(tooMany || pastWindow))) break;
    watermark = Math.max(watermark, instant);
    next = last + 1;
  }
  return watermark;
}
