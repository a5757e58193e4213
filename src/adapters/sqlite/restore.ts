/** Writing a snapshot into a store, in one transaction: afterwards the store is the snapshot's, or what it was. */
import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import { SynodError } from "../../errors.ts";
import type { RestoredFacts, RestoreOptions, SnapshotFacts, SnapshotRow, SnapshotShard } from "../../ports/snapshot.ts";
import { openConnection } from "./connection.ts";
import { failureOf, sqliteCode } from "./failures.ts";
import { preparePlace } from "./file-system.ts";
import { openFailure } from "./opening.ts";
import { prepareStore } from "./schema.ts";
import { openLockWaitMaxMs, withLock } from "./transaction.ts";

const tables = [
  "members",
  "shards",
  "entities",
  "records",
  "floors",
  "inbox",
  "journal",
  "outbox",
  "timers",
  "timer_counts",
];

/** Rejects with one sentence, and leaves the store as it was, when it is not empty or the rows end with an error. */
export async function restoreSqlite(
  path: string,
  facts: SnapshotFacts,
  rows: AsyncIterable<readonly SnapshotRow[]>,
  options: RestoreOptions,
): Promise<RestoredFacts> {
  const database = open(path, facts);
  try {
    withLock(() => database.exec("BEGIN IMMEDIATE"), openLockWaitMaxMs);
    const begun = begin(database, path, facts, options);
    const write = writerOf(database, begun.epoch, options.jump);
    for await (const batch of rows) for (const row of batch) write(row);
    database.exec("COMMIT");
    database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    return begun;
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw sqliteCode(error) === undefined ? error : failureOf(error, path).error;
  } finally {
    database.close();
  }
}

function open(path: string, { system, shardsPerService, secret }: SnapshotFacts): DatabaseSync {
  try {
    preparePlace(path);
    const database = withLock(() => openConnection(path, "writer"), openLockWaitMaxMs);
    try {
      prepareStore(database, { path, system, shardsPerService, secret: Buffer.from(secret, "hex") });
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  } catch (error) {
    throw openFailure(path, error);
  }
}

/** Empties the store and gives it the facts of the snapshot, with everything that counts raised above both. */
function begin(
  database: DatabaseSync,
  path: string,
  facts: SnapshotFacts,
  { overwrite, jump }: RestoreOptions,
): RestoredFacts {
  const now = database
    .prepare(
      `SELECT cluster, incarnations, revision, coalesce((SELECT max(epoch) FROM shards), 0) AS epochMax,
         (SELECT count(*) FROM entities) AS entities, (SELECT count(*) FROM shards) AS shards FROM meta`,
    )
    .get() as Record<"cluster" | "incarnations" | "revision" | "epochMax" | "entities" | "shards", number>;
  if (now.shards > 0 && !overwrite) {
    const advice = "restore into a new one, or say --overwrite to replace what is there";
    throw new SynodError(
      "failed_precondition",
      `${path} holds a store with ${now.entities === 1 ? "1 state" : `${now.entities} states`}: ${advice}`,
    );
  }
  for (const table of tables) database.exec(`DELETE FROM ${table}`);
  const cluster = Math.max(now.cluster, facts.cluster) + 1;
  database
    .prepare("UPDATE meta SET cluster = ?, shards_per_service = ?, secret = ?, incarnations = ?, revision = ?")
    .run(
      cluster,
      facts.shardsPerService,
      Buffer.from(facts.secret, "hex"),
      Math.max(now.incarnations, facts.incarnations) + jump,
      Math.max(now.revision, facts.revision) + jump,
    );
  return { cluster, epoch: Math.max(now.epochMax, facts.epochMax) + jump };
}

function writerOf(database: DatabaseSync, epoch: number, jump: number): (row: SnapshotRow) => void {
  const into = (table: string, columns: number) =>
    database.prepare(`INSERT INTO ${table} VALUES (${Array.from({ length: columns }, () => "?").join(", ")})`);
  const shards = database.prepare(
    `INSERT INTO shards (service, number, epoch, state_version, watermark, timed_records, session_next)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
  );
  const statements = {
    floor: into("floors", 5),
    entity: into("entities", 8),
    record: into("records", 8),
    item: into("inbox", 20),
    entry: into("journal", 8),
    message: into("outbox", 16),
    timer: into("timers", 14),
  };
  const counts = into("timer_counts", 7);
  let shard: SnapshotShard | undefined;
  return (given) => {
    if (given.kind === "shard") {
      shard = given.row;
      const { service, number, stateVersion, watermark, timedRecords, sessionNext } = shard;
      shards.run(service, number, epoch, stateVersion, watermark, timedRecords, sessionNext + jump);
      return;
    }
    const { service, number } = shard!;
    statements[given.kind].run(service, number, ...valuesOf(given));
    if (given.kind !== "timer" || given.row.countChecksum === null) return;
    const { key, name, generation, attempts, countChecksum } = given.row;
    counts.run(service, number, key, name, generation, attempts, countChecksum);
  };
}

/** In the order of the columns, behind those of the shard. */
function valuesOf(given: Exclude<SnapshotRow, { readonly kind: "shard" }>): SQLInputValue[] {
  switch (given.kind) {
    case "floor":
      return [given.row.session, given.row.floor, JSON.stringify(given.row.open)];
    case "entity": {
      const { key, version, stateVersion, state, checksum, updatedAt } = given.row;
      return [key, version, stateVersion, state, checksum, updatedAt];
    }
    case "record": {
      const { id, inputHash, reply, finishedAt, keyTime, checksum } = given.row;
      return [id, inputHash, reply, finishedAt, keyTime, checksum];
    }
    case "item": {
      const { number, key, operation, input, id, inputHash, keyTime, callSession, callNumber } = given.row;
      const { principal, request, traceparent, acceptedAt, checksum, attempts, parked, progressChecksum } = given.row;
      const what = [number, key, operation, input, id, inputHash, keyTime, callSession, callNumber];
      const accepted = [principal, request, traceparent, acceptedAt, checksum];
      return [...what, ...accepted, attempts, parked, Number(given.row.holdsTurn), progressChecksum];
    }
    case "entry": {
      const { item, id, name, inputHash, outcome, checksum } = given.row;
      return [item, id, name, inputHash, outcome, checksum];
    }
    case "message": {
      const { number, key, service, target, operation, input, principal, request, traceparent } = given.row;
      const { sentAt, checksum, attempts, parked, progressChecksum } = given.row;
      const what = [number, key, service, target, operation, input, principal, request, traceparent];
      return [...what, sentAt, checksum, attempts, parked, progressChecksum];
    }
    case "timer": {
      const { key, name, generation, dueAt, service, target, operation, input } = given.row;
      const { principal, request, traceparent, checksum } = given.row;
      return [
        key,
        name,
        generation,
        dueAt,
        service,
        target,
        operation,
        input,
        principal,
        request,
        traceparent,
        checksum,
      ];
    }
  }
}
