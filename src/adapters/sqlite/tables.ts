/**
 * The tables of a store, as SQL. State can be read with SQL as it is: one row per entity with its service, shard, key
 * and JSON. `meta` has a single row that says whose store it is and of which form.
 *
 * The first form is never edited again: what was added later stands below it, so that an old file and a new one take
 * the same way.
 */

/** Schema 1. */
export const firstTables = `
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

/**
 * Schema 2: pending work. What can change while a row rests has a checksum of its own, so that nothing has to be read to
 * change it. Rows with an input have a rowid: measured, a message with 4 KB of input costs 4.2 µs to write and remove, and
 * 6.9 without; with 20 bytes it is the same. Several rows in one INSERT are no faster than one by one.
 */
export const workTables = `
ALTER TABLE shards ADD COLUMN session_next INTEGER NOT NULL DEFAULT 1;  -- of the shard's own session

CREATE TABLE inbox (
  service TEXT NOT NULL,
  shard INTEGER NOT NULL,
  number INTEGER NOT NULL,
  key TEXT NOT NULL,
  operation TEXT NOT NULL,
  input TEXT,                     -- JSON
  id TEXT NOT NULL,
  input_hash TEXT NOT NULL,
  key_time INTEGER,               -- ms since 1970
  call_session TEXT,
  call_number INTEGER,
  principal TEXT NOT NULL,
  request TEXT NOT NULL,
  traceparent TEXT,
  accepted_at INTEGER NOT NULL,   -- ms since 1970
  checksum INTEGER NOT NULL,      -- of all above
  attempts INTEGER NOT NULL,
  parked TEXT,                    -- JSON: { code, message, at }
  holds_turn INTEGER NOT NULL,
  progress_checksum INTEGER NOT NULL,
  PRIMARY KEY (service, shard, number)
) STRICT;

CREATE INDEX inbox_by_key ON inbox (service, shard, key, number);

CREATE TABLE journal (
  service TEXT NOT NULL,
  shard INTEGER NOT NULL,
  item INTEGER NOT NULL,          -- a number in inbox
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  input_hash TEXT NOT NULL,
  outcome TEXT,                   -- JSON
  checksum INTEGER NOT NULL,
  PRIMARY KEY (service, shard, item, id)
) STRICT;                         -- with rowids, which tell the order of the entries

CREATE TABLE outbox (
  service TEXT NOT NULL,
  shard INTEGER NOT NULL,
  number INTEGER NOT NULL,
  key TEXT NOT NULL,
  target_service TEXT NOT NULL,
  target_key TEXT,
  operation TEXT NOT NULL,
  input TEXT,                     -- JSON
  principal TEXT NOT NULL,
  request TEXT NOT NULL,
  traceparent TEXT,
  sent_at INTEGER NOT NULL,       -- ms since 1970
  checksum INTEGER NOT NULL,      -- of all above
  attempts INTEGER NOT NULL,
  parked TEXT,                    -- JSON: { code, message, at }
  progress_checksum INTEGER NOT NULL,
  PRIMARY KEY (service, shard, number)
) STRICT;

CREATE TABLE timers (
  service TEXT NOT NULL,
  shard INTEGER NOT NULL,
  key TEXT NOT NULL,
  name TEXT NOT NULL,
  generation INTEGER NOT NULL,
  due_at INTEGER NOT NULL,        -- ms since 1970
  target_service TEXT,            -- NULL for a named timer, which runs an operation of its own entity
  target_key TEXT,
  operation TEXT NOT NULL,
  input TEXT,                     -- JSON
  principal TEXT NOT NULL,
  request TEXT NOT NULL,
  traceparent TEXT,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (service, shard, key, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX timers_by_due ON timers (service, shard, due_at, key, name);
`;

/**
 * Schema 3: how often a timer was tried. A table of its own, which is empty nearly always, because nodes that know schema 2
 * only and have the file open go on writing timers as they are. A row whose generation is not its timer's says nothing.
 */
export const timerCounts = `
CREATE TABLE timer_counts (
  service TEXT NOT NULL,
  shard INTEGER NOT NULL,
  key TEXT NOT NULL,
  name TEXT NOT NULL,
  generation INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (service, shard, key, name)
) STRICT, WITHOUT ROWID;
`;
