/**
 * Commits in SQL. Bodies of transactions: whatever is found out of date half-way, the writer rolls back all of
 * it, so checking and writing are one pass and one statement per row.
 */
import type { DatabaseSync } from "node:sqlite";
import { SynodError } from "../../errors.ts";
import { batchFault } from "../../ports/batch.ts";
import type { CallRecord, CommitBatch, CommitResult, EntityChange, ShardChanges, ShardId } from "../../ports/store.ts";
import { entityChecksum, recordChecksum } from "./checksums.ts";
import { floorsOf } from "./floors.ts";
import type { Leases } from "./leases.ts";

interface ShardRow {
  readonly owner: number | null;
  readonly epoch: number;
  readonly stateVersion: number;
  readonly watermark: number;
}

/** Prepares commits. Anything but `committed` must be rolled back. */
export function commitsOf(database: DatabaseSync, leases: Leases): (batch: CommitBatch) => CommitResult {
  const shardRow = database.prepare(
    "SELECT owner, epoch, state_version AS stateVersion, watermark FROM shards WHERE service = ? AND number = ?",
  );
  const countTimed = database.prepare(
    "UPDATE shards SET timed_records = timed_records + ? WHERE service = ? AND number = ?",
  );
  const raiseStateVersion = database.prepare("UPDATE shards SET state_version = ? WHERE service = ? AND number = ?");
  const changeEntity = entityWriter(database);
  const addRecord = recordWriter(database);
  const { raise } = floorsOf(database);

  const rowOf = ({ service, number }: ShardId) => shardRow.get(service, number) as ShardRow | undefined;

  const write = ({ shard, entities, floors }: ShardChanges, row: ShardRow): { shard: ShardId; key: string }[] => {
    const conflicts: { shard: ShardId; key: string }[] = [];
    let { stateVersion } = row;
    let timed = 0;
    for (const entity of entities) {
      let isCurrent = changeEntity(shard, entity);
      for (const record of entity.records) {
        isCurrent = addRecord(shard, record) && isCurrent;
        if (record.keyTime !== null) timed++;
      }
      if (!isCurrent) conflicts.push({ shard, key: entity.key });
      if (entity.state !== null) stateVersion = Math.max(stateVersion, entity.stateVersion);
    }
    for (const floor of floors) raise(shard, floor);
    if (timed > 0) countTimed.run(timed, shard.service, shard.number);
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
    const forgotten = batch.shards.find((changes, at) => hasForgottenKey(changes, rows[at]!));
    if (forgotten !== undefined) return { status: "refused", error: forgottenKey(forgotten) };
    const entities = batch.shards.flatMap((changes, at) => write(changes, rows[at]!));
    return entities.length > 0 ? { status: "conflict", entities } : { status: "committed", renewed: true };
  };
}

function isOwned(row: ShardRow | undefined, incarnation: number, epoch: number): boolean {
  return row !== undefined && row.owner === incarnation && row.epoch === epoch;
}

function hasForgottenKey({ entities }: ShardChanges, { watermark }: ShardRow): boolean {
  const forgotten = ({ keyTime }: CallRecord): boolean => keyTime !== null && keyTime <= watermark;
  return entities.some(({ records }) => records.some(forgotten));
}

function forgottenKey({ shard }: ShardChanges): SynodError {
  const message = `${shard.service}/${shard.number} has forgotten timed keys as old as one in this batch`;
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
