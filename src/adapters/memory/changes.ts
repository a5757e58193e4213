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
import { sessionRecordId, sessionRecordRange } from "../../values/ids.ts";
import type { MemoryDatabase, ShardRow } from "./database.ts";
import { copyOfFloor, shardRow } from "./membership.ts";

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

  const forgotten = targets.find(hasForgottenKey);
  if (forgotten !== undefined) return { status: "refused", error: forgottenKey(forgotten) };
  const conflicts = targets.flatMap(conflictsOf);
  if (conflicts.length > 0) return { status: "conflict", entities: conflicts };

  for (const target of targets) write(database, target);
  member.renewals++;
  return { status: "committed", renewed: true };
}

function hasForgottenKey({ changes, row }: Target): boolean {
  const forgotten = ({ keyTime }: CallRecord): boolean => keyTime !== null && keyTime <= row.watermark;
  return changes.entities.some(({ records }) => records.some(forgotten));
}

function forgottenKey({ changes: { shard } }: Target): SynodError {
  const message = `${shard.service}/${shard.number} has forgotten timed keys as old as one in this batch`;
  return new SynodError("failed_precondition", message);
}

function conflictsOf({ changes, row }: Target): { shard: ShardId; key: string }[] {
  const conflicts = ({ key, expectedVersion, records }: EntityChange): boolean =>
    (row.entities.get(key)?.version ?? 0) !== expectedVersion || records.some(({ id }) => row.records.has(id));
  return changes.entities.filter(conflicts).map(({ key }) => ({ shard: { ...changes.shard }, key }));
}

function write(database: MemoryDatabase, { changes, row }: Target): void {
  let { stateVersion: highest } = row;
  for (const { key, version, stateVersion, state, records } of changes.entities) {
    if (state !== null) {
      row.entities.set(key, { version, stateVersion, state });
      highest = Math.max(highest, stateVersion);
    } else if (version === 0) row.entities.delete(key);
    for (const record of records) row.records.set(record.id, copyOf(record));
  }
  for (const floor of changes.floors) raise(row, floor);
  if (highest === row.stateVersion) return;
  row.stateVersion = highest;
  database.revision++;
}

/** The floor and the removal of what it settles belong together: what is gone is refused from then on. */
function raise(row: ShardRow, floor: SessionFloor): void {
  row.floors.set(floor.session, copyOfFloor(floor));
  const open = new Set(floor.open.map((number) => sessionRecordId(floor.session, number)));
  settle(row, sessionRecordRange(floor.session, floor.floor), open);
}

function endSession(row: ShardRow, session: string): void {
  row.floors.delete(session);
  settle(row, sessionRecordRange(session), new Set());
}

function settle(row: ShardRow, { from, to }: { from: string; to: string }, open: ReadonlySet<string>): void {
  for (const [id, { finishedAt }] of row.records) {
    if (finishedAt === null && id >= from && id < to && !open.has(id)) row.records.delete(id);
  }
}

export function read(database: MemoryDatabase, reads: readonly Read[]): ReadResult[] {
  return reads.map((wanted) => {
    const row = shardRow(database, wanted.shard);
    if (wanted.kind === "entity") {
      const entity = row?.entities.get(wanted.key);
      return { kind: "entity", row: entity === undefined ? null : { ...entity } };
    }
    const record = row?.records.get(wanted.id);
    return { kind: "record", record: record === undefined ? null : copyOf(record) };
  });
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
