/** Whose store a file is, and of which form: a new one gets its tables, an older one is brought up to date in place. */
import type { DatabaseSync } from "node:sqlite";
import { SynodError } from "../../errors.ts";
import type { StoreIdentity } from "../../ports/store.ts";
import { setting, useWriteAheadLog } from "./connection.ts";
import { firstTables, timerCounts, workTables } from "./tables.ts";
import { transactionsOf } from "./transaction.ts";

/** What makes each schema out of the one before: the n-th makes schema n + 1. */
const migrations: readonly string[] = [firstTables, workTables, timerCounts];
/** The form of the tables that this code reads and writes. */
const schemaVersion = migrations.length;
/** "Synd", by which a store is told from the SQLite files of other programs. */
const applicationId = 0x53796e64;

export interface StoreCreation {
  readonly path: string;
  readonly system: string;
  /** Taken when the store is new; an old one keeps its own. */
  readonly shardsPerService: number;
  readonly secret: Uint8Array;
}

/**
 * Creates the tables when the file is empty; says whose store it is when it is ours, and refuses all others. A store of
 * an older schema gets the present one, in one transaction; nodes of an older Synod that have it open go on.
 */
export function prepareStore(database: DatabaseSync, creation: StoreCreation): StoreIdentity {
  if (!isEmpty(database)) refuseForeign(database, creation);
  useWriteAheadLog(database);
  // Another process may have created it meanwhile, so the question is asked again under the lock.
  transactionsOf(database).run(() => {
    if (isEmpty(database)) createTables(database, creation);
    else migrate(database);
  });
  return refuseForeign(database, creation);
}

function isEmpty(database: DatabaseSync): boolean {
  return database.prepare("SELECT 1 FROM sqlite_master LIMIT 1").get() === undefined;
}

/** Gives an empty database its tables. */
export function createTables(database: DatabaseSync, { system, shardsPerService, secret }: StoreCreation): void {
  for (const migration of migrations) database.exec(migration);
  database.exec(`PRAGMA application_id = ${applicationId}`);
  database
    .prepare("INSERT INTO meta VALUES (1, ?, ?, 1, ?, ?, 0, 0)")
    .run(schemaVersion, system, shardsPerService, secret);
}

function migrate(database: DatabaseSync): void {
  const { schema } = database.prepare("SELECT schema FROM meta").get() as Pick<MetaRow, "schema">;
  for (const migration of migrations.slice(schema)) database.exec(migration);
  if (schema < schemaVersion) database.prepare("UPDATE meta SET schema = ?").run(schemaVersion);
}

interface MetaRow {
  readonly schema: number;
  readonly system: string;
  readonly cluster: number;
  readonly shards_per_service: number;
  readonly secret: Uint8Array;
}

function refuseForeign(database: DatabaseSync, { path, system }: StoreCreation): StoreIdentity {
  if (setting(database, "application_id") !== applicationId) {
    throw refusal(`${path} is a SQLite file of another program: choose another path for the store`);
  }
  const form = database.prepare("SELECT schema FROM meta").get() as Pick<MetaRow, "schema">;
  if (form.schema > schemaVersion) {
    throw refusal(`${path} has schema ${form.schema}, and this Synod knows ${schemaVersion}: use a newer Synod`);
  }
  if (form.schema < 1) {
    throw refusal(`${path} has schema ${form.schema}, which this Synod no longer reads: use an older Synod`);
  }
  const meta = readMeta(database);
  if (meta.system !== system) {
    throw refusal(`${path} is the store of the system "${meta.system}", not of "${system}": choose another path`);
  }
  const { cluster, shards_per_service: shardsPerService, secret } = meta;
  return { system, cluster, shardsPerService, secret };
}

/** Of a store of the present form. */
function readMeta(database: DatabaseSync): MetaRow {
  // The driver types a row as a record of columns.
  return database.prepare("SELECT * FROM meta").get() as unknown as MetaRow;
}

/** Raises when what nodes build on is not what it was when the store was opened: they must open it anew. */
export function refuseReplaced(database: DatabaseSync, path: string, identity: StoreIdentity): void {
  const meta = readMeta(database);
  const isSame = Buffer.from(meta.secret).equals(identity.secret);
  if (isSame && meta.shards_per_service === identity.shardsPerService) return;
  throw refusal(`${path} has become another store, by a restore, since this node opened it: start the node again`);
}

function refusal(message: string): SynodError {
  return new SynodError("failed_precondition", message);
}
