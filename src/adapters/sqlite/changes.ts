/**
 * Commits in SQL. Bodies of transactions: whatever is found out of date half-way, the writer rolls back all of
 * it, so checking and writing are one pass and one statement per row.
 */
import type { DatabaseSync } from "node:sqlite";
import { SynodError } from "../../errors.ts";
import { batchFault } from "../../ports/batch.ts";
import { entityChecksum, recordChecksum } from "../../ports/checksums.ts";
import type { CallRecord, CommitBatch, CommitResult, EntityChange, ShardChanges, ShardId } from "../../ports/store.ts";
import { ungivenNumber } from "../../ports/work-form.ts";
import { floorsOf } from "./floors.ts";
import type { Leases } from "./leases.ts";
import { type WorkWriter, workWriterOf } from "./work.ts";

interface ShardRow {
  readonly owner: number | null;
  readonly epoch: number;
  readonly stateVersion: number;
  readonly watermark: number;
  readonly sessionNext: number;
}

/** Prepares commits. Anything but `committed` must be rolled back. */
export function commitsOf(database: DatabaseSync, leases: Leases): (batch: CommitBatch) => CommitResult {
  const shardRow = database.prepare(
    `SELECT owner, epoch, state_version AS stateVersion, watermark, session_next AS sessionNext FROM shards
     WHERE service = ? AND number = ?`,
  );
  const countTimed = database.prepare(
    "UPDATE shards SET timed_records = timed_records + ? WHERE service = ? AND number = ?",
  );
  const raiseStateVersion = database.prepare("UPDATE shards SET state_version = ? WHERE service = ? AND number = ?");
  const raiseSessionNext = database.prepare("UPDATE shards SET session_next = ? WHERE service = ? AND number = ?");
  const changeEntity = entityWriter(database);
  const addRecord = recordWriter(database);
  const work = workWriterOf(database);
  const { raise } = floorsOf(database);

  const rowOf = ({ service, number }: ShardId) => shardRow.get(service, number) as ShardRow | undefined;

  const write = (changes: ShardChanges, row: ShardRow): { shard: ShardId; key: string }[] => {
    const { shard, entities, floors, sessionNext, progress } = changes;
    const conflicts: { shard: ShardId; key: string }[] = [];
    let { stateVersion } = row;
    let timed = 0;
    for (const entity of entities) {
      let isCurrent = changeEntity(shard, entity);
      for (const given of entity.records) {
        const record = kept(row, given);
        isCurrent = addRecord(shard, record) && isCurrent;
        if (record.keyTime !== null) timed++;
      }
      if (entity.work !== null) isCurrent = work.apply(shard, entity.key, entity.work) && isCurrent;
      if (!isCurrent) conflicts.push({ shard, key: entity.key });
      if (entity.state !== null) stateVersion = Math.max(stateVersion, entity.stateVersion);
    }
    if (progress !== null) work.advance(shard, progress);
    for (const floor of floors) raise(shard, floor);
    if (timed > 0) countTimed.run(timed, shard.service, shard.number);
    if (sessionNext !== null) raiseSessionNext.run(sessionNext, shard.service, shard.number);
    if (stateVersion > row.stateVersion) {
      raiseStateVersion.run(stateVersion, shard.service, shard.number);
      leases.revise();
    }
    return conflicts;
  };

  return (batch) => {
    const fault = batchFault(batch);
    if (fault !== undefined) return { status: "refused", error: fault };
    if (!leases.count(batch.incarnation)) return { status: "ended" };
    const rows = batch.shards.map(({ shard }) => rowOf(shard));
    const fenced = batch.shards.filter(({ epoch }, at) => !isOwned(rows[at], batch.incarnation, epoch));
    if (fenced.length > 0) return { status: "fenced", shards: fenced.map(({ shard }) => shard) };
    for (const [at, changes] of batch.shards.entries()) {
      const error = refusalOf(changes, rows[at]!, work);
      if (error !== undefined) return { status: "refused", error };
    }
    const entities = batch.shards.flatMap((changes, at) => write(changes, rows[at]!));
    return entities.length > 0 ? { status: "conflict", entities } : { status: "committed", renewed: true };
  };
}

function isOwned(row: ShardRow | undefined, incarnation: number, epoch: number): boolean {
  return row !== undefined && row.owner === incarnation && row.epoch === epoch;
}

function refusalOf(changes: ShardChanges, row: ShardRow, work: WorkWriter): SynodError | undefined {
  const { shard, entities } = changes;
  const number = ungivenNumber(changes, row.sessionNext) ?? work.takenNumber(changes);
  if (number !== undefined) return wrongNumber(shard, number);
  const isTooLate = (entity: EntityChange): boolean =>
    entity.records.some((record) => isForgotten(row, record) && !work.isOfFinishedItem(shard, entity, record));
  return entities.some(isTooLate) ? forgottenKey(shard) : undefined;
}

function wrongNumber({ service, number }: ShardId, wrong: number): SynodError {
  return new SynodError("invalid_argument", `${wrong} is not for a commit of ${service}/${number} to use`);
}

function isForgotten({ watermark }: ShardRow, { keyTime }: CallRecord): boolean {
  return keyTime !== null && keyTime <= watermark;
}

/** A timed key that is forgotten already belongs to an item that was open for so long: its record becomes opaque. */
function kept(row: ShardRow, record: CallRecord): CallRecord {
  return isForgotten(row, record) ? { ...record, keyTime: null } : record;
}

function forgottenKey({ service, number }: ShardId): SynodError {
  const message = `${service}/${number} has forgotten timed keys as old as one in this batch`;
  return new SynodError("failed_precondition", message);
}

/** Writes one entity; false when another version is in the store than the change expects. */
function entityWriter(database: DatabaseSync): (shard: ShardId, change: EntityChange) => boolean {
  const version = database.prepare("SELECT version FROM entities WHERE service = ? AND shard = ? AND key = ?");
  const add = database.prepare("INSERT INTO entities VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING");
  const update = database.prepare(
    `UPDATE entities SET version = ?, state_version = ?, state = ?, checksum = ?, updated_at = ?
     WHERE service = ? AND shard = ? AND key = ? AND version = ?`,
  );
  const remove = database.prepare("DELETE FROM entities WHERE service = ? AND shard = ? AND key = ? AND version = ?");
  return ({ service, number }, { key, expectedVersion, version: after, stateVersion, state }) => {
    if (state === null && after === expectedVersion) {
      const row = version.get(service, number, key) as { version: number } | undefined;
      return (row?.version ?? 0) === expectedVersion;
    }
    if (state === null) return remove.run(service, number, key, expectedVersion).changes === 1;
    const sum = entityChecksum(service, key, { version: after, stateVersion, state });
    const done =
      expectedVersion === 0
        ? add.run(service, number, key, after, stateVersion, state, sum, Date.now())
        : update.run(after, stateVersion, state, sum, Date.now(), service, number, key, expectedVersion);
    return done.changes === 1;
  };
}

/** Adds one record; false when its id is recorded already. */
function recordWriter(database: DatabaseSync): (shard: ShardId, record: CallRecord) => boolean {
  const add = database.prepare("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING");
  return ({ service, number }, record) => {
    const { id, inputHash, reply, finishedAt, keyTime } = record;
    const sum = recordChecksum(service, record);
    return add.run(service, number, id, inputHash, reply, finishedAt, keyTime, sum).changes === 1;
  };
}
