/**
 * A whole store at one moment, for backups and checks. SQLite's online backup copies the file in a single step, which
 * waits for nobody and holds nobody up; everything else is done with the copy, so that no long read keeps the
 * write-ahead log of the running store from being used again.
 */
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { backup, type DatabaseSync } from "node:sqlite";
import { SynodError } from "../../errors.ts";
import type { SnapshotFacts, SnapshotKind, SnapshotRow, SnapshotShard, StoreSnapshot } from "../../ports/snapshot.ts";
import { openConnection, orClose } from "./connection.ts";
import { damaged, sqliteCode, sqliteCodes } from "./failures.ts";
import { openFailure } from "./opening.ts";
import { prepareStore } from "./schema.ts";
import { openLockWaitMaxMs, withLock } from "./transaction.ts";
import { countedTimers, itemColumns, messageColumns, timerColumns } from "./work-reads.ts";

export interface SqliteSnapshotOptions {
  readonly path: string;
  readonly system: string;
  /** Where the copy goes; it takes as much room as the store, and is removed with the snapshot. */
  readonly folder: string;
}

/** More than any store has, so that all of it is copied in one step: between two steps a write would begin it anew. */
const pagesPerStep = 2 ** 31 - 1;
const batchRowsMax = 500;
/** Sentences of SQLite's own check of a file. */
const integrityFaultsMax = 20;

/** Rejects with one sentence when there is no such store. */
export async function openSqliteSnapshot({ path, system, folder }: SqliteSnapshotOptions): Promise<StoreSnapshot> {
  if (!existsSync(path)) throw new SynodError("not_found", `There is no store ${path}: give the place of one.`);
  const copyFolder = await mkdtemp(join(folder, ".synod-copy-"));
  const remove = () => rm(copyFolder, { recursive: true, force: true });
  try {
    const copy = join(copyFolder, "copy.db");
    await copyOf(path, copy);
    const database = openConnection(copy, "writer");
    return orClose(database, () => {
      // Whose store it is; and an older form gets the present one, in the copy.
      prepareStore(database, { path, system, shardsPerService: 1, secret: new Uint8Array(32) });
      return snapshotOf(database, path, async () => {
        database.close();
        await remove();
      });
    });
  } catch (error) {
    await remove();
    throw error instanceof SynodError ? error : openFailure(path, error);
  }
}

async function copyOf(path: string, copy: string): Promise<void> {
  const source = withLock(() => openConnection(path, "reader"), openLockWaitMaxMs);
  try {
    // Anything without tables would be made a store of, in the copy.
    if (source.prepare("SELECT 1 FROM sqlite_master WHERE name = 'meta'").get() === undefined) {
      throw new SynodError("failed_precondition", `${path} is no store of Synod: give the place of one`);
    }
    await backup(source, copy, { rate: pagesPerStep });
  } finally {
    source.close();
  }
}

function snapshotOf(database: DatabaseSync, path: string, close: () => Promise<void>): StoreSnapshot {
  const facts = database
    .prepare(
      `SELECT system, cluster, shards_per_service AS shardsPerService, lower(hex(secret)) AS secret, incarnations,
         revision, coalesce((SELECT max(epoch) FROM shards), 0) AS epochMax FROM meta`,
    )
    .get() as unknown as SnapshotFacts;
  const { shards } = database.prepare("SELECT count(*) AS shards FROM shards").get() as { shards: number };
  return {
    facts: { ...facts },
    shardsLength: shards,
    rows: async function* () {
      try {
        yield* batchesOf(rowsOf(database));
      } catch (error) {
        throw unreadable(path, error);
      }
    },
    faults: async () => [...integrityFaults(database), ...strayFaults(database), ...leaseFaults(database)],
    [Symbol.asyncDispose]: close,
  };
}

/** A page that SQLite cannot make sense of, or a number that no writer of ours has written. */
function unreadable(path: string, error: unknown): unknown {
  const code = sqliteCode(error);
  const isOutOfRange = error instanceof RangeError;
  return code === sqliteCodes.corrupt || code === sqliteCodes.notADatabase || isOutOfRange
    ? damaged(path, error)
    : error;
}

function* batchesOf(rows: Iterable<SnapshotRow>): Generator<readonly SnapshotRow[]> {
  let batch: SnapshotRow[] = [];
  for (const row of rows) {
    batch.push(row);
    if (batch.length < batchRowsMax) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

const inShard = "WHERE service = ? AND shard = ?";
/** What rests in a shard, in the order of a snapshot. */
const contents: readonly (readonly [kind: Exclude<SnapshotKind, "shard">, table: string, query: string])[] = [
  ["floor", "floors", `SELECT session, floor, open FROM floors ${inShard} ORDER BY session`],
  [
    "entity",
    "entities",
    `SELECT key, version, state_version AS stateVersion, state, checksum, updated_at AS updatedAt
     FROM entities ${inShard} ORDER BY key`,
  ],
  [
    "record",
    "records",
    `SELECT id, input_hash AS inputHash, reply, finished_at AS finishedAt, key_time AS keyTime, checksum
     FROM records ${inShard} ORDER BY id`,
  ],
  ["item", "inbox", `SELECT ${itemColumns} FROM inbox ${inShard} ORDER BY number`],
  [
    "entry",
    "journal",
    `SELECT item, id, name, input_hash AS inputHash, outcome, checksum FROM journal ${inShard} ORDER BY item, rowid`,
  ],
  ["message", "outbox", `SELECT ${messageColumns} FROM outbox ${inShard} ORDER BY number`],
  [
    "timer",
    "timers",
    `SELECT ${timerColumns} FROM ${countedTimers} WHERE t.service = ? AND t.shard = ? ORDER BY t.key, t.name`,
  ],
];

function* rowsOf(database: DatabaseSync): Generator<SnapshotRow> {
  const shards = database.prepare(
    `SELECT service, number, epoch, state_version AS stateVersion, watermark, timed_records AS timedRecords,
       session_next AS sessionNext FROM shards ORDER BY service, number`,
  );
  const queries = contents.map(([kind, , query]) => [kind, database.prepare(query)] as const);
  for (const shard of shards.all() as unknown as SnapshotShard[]) {
    yield { kind: "shard", row: { ...shard } };
    for (const [kind, query] of queries) {
      for (const row of query.iterate(shard.service, shard.number)) {
        if (kind === "floor") row.open = JSON.parse(String(row.open));
        yield { kind, row: { ...row } } as unknown as SnapshotRow;
      }
    }
  }
}

function integrityFaults(database: DatabaseSync): readonly string[] {
  const rows = database.prepare(`PRAGMA integrity_check(${integrityFaultsMax})`).all() as { integrity_check: string }[];
  return rows.map((row) => row.integrity_check).filter((sentence) => sentence !== "ok");
}

function strayFaults(database: DatabaseSync): readonly string[] {
  return contents.flatMap(([, table]) => {
    const query = `SELECT count(*) AS strays FROM ${table} AS t
      WHERE NOT EXISTS (SELECT 1 FROM shards s WHERE s.service = t.service AND s.number = t.shard)`;
    const { strays } = database.prepare(query).get() as { strays: number };
    return strays === 0 ? [] : [`${strays} rows of ${table} belong to no shard`];
  });
}

function leaseFaults(database: DatabaseSync): readonly string[] {
  const { owned } = database
    .prepare(
      "SELECT count(*) AS owned FROM shards WHERE owner IS NOT NULL AND owner NOT IN (SELECT incarnation FROM members)",
    )
    .get() as { owned: number };
  return owned === 0 ? [] : [`${owned} shards have an owner who is no member`];
}
