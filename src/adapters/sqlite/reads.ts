/** Reads in SQL. Every row is compared with its checksum before anybody builds on it. */
import type { DatabaseSync } from "node:sqlite";
import { SynodError } from "../../errors.ts";
import { entityChecksum, recordChecksum } from "../../ports/checksums.ts";
import type { CallRecord, EntityRow, Read, ReadResult, ShardId } from "../../ports/store.ts";
import { sessionCallOf, sessionRecordRange } from "../../values/ids.ts";
import { damaged, sqliteCode, sqliteCodes } from "./failures.ts";
import { pagesOf } from "./work-reads.ts";

/** Prepares reads; to be run in a transaction when several belong together. */
export function readsOf(database: DatabaseSync, path: string): (read: Read) => ReadResult {
  const entity = database.prepare(
    `SELECT version, state_version AS stateVersion, state, checksum FROM entities
     WHERE service = ? AND shard = ? AND key = ?`,
  );
  const record = database.prepare(
    `SELECT id, input_hash AS inputHash, reply, finished_at AS finishedAt, key_time AS keyTime, checksum FROM records
     WHERE service = ? AND shard = ? AND id = ?`,
  );
  const lastInRange = database.prepare(
    "SELECT id FROM records WHERE service = ? AND shard = ? AND id >= ? AND id < ? ORDER BY id DESC LIMIT 1",
  );
  const timerNames = database.prepare(
    "SELECT name FROM timers WHERE service = ? AND shard = ? AND key = ? ORDER BY name LIMIT ?",
  );

  const readPage = pagesOf(database, path);

  const readEntity = ({ service, number }: ShardId, key: string): ReadResult => {
    const found = entity.get(service, number, key) as (EntityRow & { checksum: number }) | undefined;
    if (found === undefined) return { kind: "entity", row: null };
    const { checksum, ...row } = found;
    if (entityChecksum(service, key, row) === checksum) return { kind: "entity", row };
    return mismatch(path, `state of ${service}/${JSON.stringify(key)}`);
  };

  const readRecord = ({ service, number }: ShardId, id: string): ReadResult => {
    const found = record.get(service, number, id) as (CallRecord & { checksum: number }) | undefined;
    if (found === undefined) return { kind: "record", record: null };
    const { checksum, ...row } = found;
    if (recordChecksum(service, row) === checksum) return { kind: "record", record: row };
    return mismatch(path, `reply recorded under ${service}/${JSON.stringify(id)}`);
  };

  const readHighest = ({ service, number }: ShardId, session: string): ReadResult => {
    const { from, to } = sessionRecordRange(session);
    const found = lastInRange.get(service, number, from, to) as { id: string } | undefined;
    return { kind: "highest", number: found === undefined ? 0 : (sessionCallOf(found.id)?.number ?? 0) };
  };

  const readTimerNames = ({ service, number }: ShardId, key: string, limit: number): ReadResult => {
    const rows = timerNames.all(service, number, key, limit) as unknown as { readonly name: string }[];
    return { kind: "timersOf", names: rows.map(({ name }) => name) };
  };

  return (read) => {
    try {
      if (read.kind === "entity") return readEntity(read.shard, read.key);
      if (read.kind === "highest") return readHighest(read.shard, read.session);
      if (read.kind === "timersOf") return readTimerNames(read.shard, read.key, read.limit);
      return read.kind === "record" ? readRecord(read.shard, read.id) : readPage(read);
    } catch (error) {
      // A page that SQLite cannot make sense of, or a number that no writer of ours has written.
      if (sqliteCode(error) === sqliteCodes.corrupt || isOutOfRange(error)) {
        return { kind: "corrupt", error: damaged(path, error) };
      }
      throw error;
    }
  };
}

function mismatch(path: string, what: string): ReadResult {
  const message = `the ${what} in ${path} does not match its checksum: restore it from a backup`;
  return { kind: "corrupt", error: new SynodError("data_loss", message) };
}

function isOutOfRange(error: unknown): boolean {
  return error instanceof RangeError && "code" in error && error.code === "ERR_OUT_OF_RANGE";
}
