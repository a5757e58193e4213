/**
 * The tables of a store. State can be read with SQL as it is: one row per entity with its service, shard, key
 * and JSON. `meta` has a single row that says whose store it is and of which form.
 */
import type { DatabaseSync } from "node:sqlite";
import { SynodError } from "../../errors.ts";
import type { StoreIdentity } from "../../ports/store.ts";
import { setting, useWriteAheadLog } from "./connection.ts";
import { transactionsOf } from "./transaction.ts";

/** The form of the tables that this code reads and writes. */
const schemaVersion = 1;
/** "Synd", by which a store is told from the SQLite files of other programs. */
const applicationId = 0x53796e64;

const tables = `
CREATE TABLE meta (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  schema INTEGER NOT NULL,
  system TEXT NOT NULL,
  cluster INTEGER NOT NULL,
  shards_per_service INTEGER NOT NULL,
  secret BLOB NOT NULL,
  incarnations INTEGER NOT NULL,  -- the last one given out
  revision INTEGER NOT NULL       -- of the view
) STRICT;

CREATE TABLE members (
  incarnation INTEGER PRIMARY KEY,
  node TEXT NOT NULL,
  address TEXT,
  hosts TEXT NOT NULL,            -- JSON: [{ service, stateVersion }]
  draining INTEGER NOT NULL,
  renewals INTEGER NOT NULL
) STRICT;

CREATE TABLE shards (
  service TEXT NOT NULL,
  number INTEGER NOT NULL,
  owner INTEGER,                  -- incarnation of a row in members
  epoch INTEGER NOT NULL DEFAULT 0,
  state_version INTEGER NOT NULL DEFAULT 0,
  watermark INTEGER NOT NULL DEFAULT 0,      -- ms since 1970
  timed_records INTEGER NOT NULL DEFAULT 0,  -- rows in records that have a key_time
  PRIMARY KEY (service, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE entities (
  service TEXT NOT NULL,
  shard INTEGER NOT NULL,
  key TEXT NOT NULL,
  version INTEGER NOT NULL,
  state_version INTEGER NOT NULL,
  state TEXT NOT NULL,            -- JSON
  checksum INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,    -- ms since 1970
  PRIMARY KEY (service, shard, key)
) STRICT;

CREATE TABLE records (
  service TEXT NOT NULL,
  shard INTEGER NOT NULL,
  id TEXT NOT NULL,
  input_hash TEXT NOT NULL,
  reply TEXT NOT NULL,            -- JSON
  finished_at INTEGER,            -- ms since 1970; NULL for calls of a session, which a floor removes
  key_time INTEGER,               -- ms since 1970; NULL for opaque keys
  checksum INTEGER NOT NULL,
  PRIMARY KEY (service, shard, id)
) STRICT;

CREATE INDEX records_by_age ON records (service, shard, key_time, finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE floors (
  service TEXT NOT NULL,
  shard INTEGER NOT NULL,
  session TEXT NOT NULL,
  floor INTEGER NOT NULL,
  open TEXT NOT NULL,             -- JSON: [number]
  PRIMARY KEY (service, shard, session)
) STRICT, WITHOUT ROWID;
`;

export interface StoreCreation {
  readonly path: string;
  readonly system: string;
  /** Taken when the store is new; an old one keeps its own. */
  readonly shardsPerService: number;
  readonly secret: Uint8Array;
}

/** Creates the tables when the file is empty; says whose store it is when it is ours, and refuses all others. */
export function prepareStore(database: DatabaseSync, creation: StoreCreation): StoreIdentity {
  if (!isEmpty(database)) refuseForeign(database, creation);
  useWriteAheadLog(database);
  // Another process may have created it meanwhile, so the question is asked again under the lock.
  transactionsOf(database).run(() => {
    if (isEmpty(database)) createTables(database, creation);
  });
  return refuseForeign(database, creation);
}

function isEmpty(database: DatabaseSync): boolean {
  return database.prepare("SELECT 1 FROM sqlite_master LIMIT 1").get() === undefined;
}

/** Gives an empty database its tables. */
export function createTables(database: DatabaseSync, { system, shardsPerService, secret }: StoreCreation): void {
  database.exec(tables);
  database.exec(`PRAGMA application_id = ${applicationId}`);
  database
    .prepare("INSERT INTO meta VALUES (1, ?, ?, 1, ?, ?, 0, 0)")
    .run(schemaVersion, system, shardsPerService, secret);
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
  if (form.schema < schemaVersion) {
    throw refusal(`${path} has schema ${form.schema}, which this Synod no longer reads: use an older Synod`);
  }
  const meta = database.prepare("SELECT * FROM meta").get() as unknown as MetaRow;
  if (meta.system !== system) {
    throw refusal(`${path} is the store of the system "${meta.system}", not of "${system}": choose another path`);
  }
  const { cluster, shards_per_service: shardsPerService, secret } = meta;
  return { system, cluster, shardsPerService, secret };
}

function refusal(message: string): SynodError {
  return new SynodError("failed_precondition", message);
}
