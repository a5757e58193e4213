/**
 * Forgetting records in SQL: the body of a transaction. Everything is found by way of the index over age, in
 * its order and no further than the bound, however many records a shard holds.
 */
import type { DatabaseSync } from "node:sqlite";
import type { TrimRequest, TrimResult } from "../../ports/store.ts";
import { floorsOf } from "./floors.ts";

interface ShardRow {
  readonly owner: number | null;
  readonly epoch: number;
  readonly watermark: number;
  readonly timedRecords: number;
}

/** The timed records of one instant. */
interface Instant {
  readonly keyTime: number;
  readonly size: number;
  readonly finishedLast: number;
}

export function trimsOf(database: DatabaseSync): (request: TrimRequest) => TrimResult {
  const shardRow = database.prepare(
    `SELECT owner, epoch, watermark, timed_records AS timedRecords FROM shards WHERE service = ? AND number = ?`,
  );
  const removeOpaque = database.prepare(
    `DELETE FROM records WHERE rowid IN (
       SELECT rowid FROM records WHERE service = ? AND shard = ? AND key_time IS NULL AND finished_at < ? AND finished_at IS NOT NULL
       ORDER BY finished_at LIMIT ?)`,
  );
  // A lower bound and not IS NOT NULL, which SQLite would not look up in the index.
  const instants = database.prepare(
    `SELECT key_time AS keyTime, count(*) AS size, max(finished_at) AS finishedLast FROM records
     WHERE service = ? AND shard = ? AND finished_at IS NOT NULL AND key_time >= ${Number.MIN_SAFE_INTEGER} GROUP BY key_time ORDER BY key_time`,
  );
  const removeTimed = database.prepare(
    `DELETE FROM records WHERE rowid IN (
       SELECT rowid FROM records WHERE service = ? AND shard = ? AND finished_at IS NOT NULL AND key_time <= ?
       ORDER BY key_time, finished_at LIMIT ?)`,
  );
  const floors = floorsOf(database);
  const settle = database.prepare(
    "UPDATE shards SET watermark = ?, timed_records = timed_records - ? WHERE service = ? AND number = ?",
  );

  return (request) => {
    const { service, number } = request.shard;
    const row = shardRow.get(service, number) as ShardRow | undefined;
    if (row === undefined || row.owner !== request.incarnation || row.epoch !== request.epoch) {
      return { status: "fenced" };
    }
    for (const session of request.endedSessions) floors.end(request.shard, session);
    const opaque = Number(removeOpaque.run(service, number, request.finishedBefore, request.removeMax).changes);
    const removeMax = request.removeMax - opaque;
    const walk = instants.iterate(service, number) as unknown as Iterable<Instant>;
    const watermark = watermarkAfter(row, walk, { ...request, removeMax });
    const timed = Number(removeTimed.run(service, number, watermark, removeMax).changes);
    if (timed > 0 || watermark !== row.watermark) settle.run(watermark, timed, service, number);
    const removed = opaque + timed;
    return { status: "trimmed", removed, more: removed >= request.removeMax, watermark };
  };
}

/** Walks the instants upwards as long as they may go; the watermark is the last that went. */
function watermarkAfter(row: ShardRow, instants: Iterable<Instant>, request: TrimRequest): number {
  let { watermark } = row;
  let passed = 0;
  if (request.removeMax <= 0) return watermark;
  for (const { keyTime, size, finishedLast } of instants) {
    const tooMany = row.timedRecords - passed > request.timedRowsMax;
    const pastWindow = finishedLast < request.finishedBefore;
    if (keyTime > watermark && (keyTime > request.timedCap || !(tooMany || pastWindow))) break;
    watermark = Math.max(watermark, keyTime);
    passed += size;
    if (passed >= request.removeMax) break;
  }
  return watermark;
}
