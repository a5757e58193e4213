-- A store of schema 1, as the first Synod that had stores left it. Never edited.
PRAGMA application_id = 1400467044;
PRAGMA user_version = 0;

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
INSERT INTO meta VALUES (1, 1, 'conformance', 1, 2, x'9bfb0a1f91847b7e80bb9e70d4aa9ecc98d0cc74ffc6e7f4f51569bd52c8ed51', 1, 4);

CREATE TABLE members (
  incarnation INTEGER PRIMARY KEY,
  node TEXT NOT NULL,
  address TEXT,
  hosts TEXT NOT NULL,            -- JSON: [{ service, stateVersion }]
  draining INTEGER NOT NULL,
  renewals INTEGER NOT NULL
) STRICT;
INSERT INTO members VALUES (1, 'node-1', '127.0.0.1:7000', '[{"service":"account","stateVersion":2}]', 0, 2);

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
INSERT INTO shards VALUES ('account', 0, 1, 1, 2, 1600000000000, 1);
INSERT INTO shards VALUES ('account', 1, 1, 1, 1, 0, 0);

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
INSERT INTO entities VALUES ('account', 0, 'alice', 3, 2, '{"balance":500}', 2632629314, 1700000000000);
INSERT INTO entities VALUES ('account', 0, 'b😀b', 1, 1, '{"name":"it''s"}', 876513630, 1700000000000);
INSERT INTO entities VALUES ('account', 1, 'carol', 1, 1, '7', 1913791180, 1700000000000);

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
INSERT INTO records VALUES ('account', 0, 'opaque', 'hash of opaque', '{"ok":true,"output":"opaque"}', 1700000000000, NULL, 2354861228);
INSERT INTO records VALUES ('account', 0, 'timed', 'hash of timed', '{"ok":true,"output":"timed"}', 1700000000000, 1699999999000, 36535669);
INSERT INTO records VALUES ('account', 0, 'n4#00000000002', 'hash of n4#00000000002', '{"ok":true,"output":"n4#00000000002"}', NULL, NULL, 424482162);
INSERT INTO records VALUES ('account', 0, 'n4#00000000005', 'hash of n4#00000000005', '{"ok":true,"output":"n4#00000000005"}', NULL, NULL, 1437159882);

CREATE INDEX records_by_age ON records (service, shard, key_time, finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE floors (
  service TEXT NOT NULL,
  shard INTEGER NOT NULL,
  session TEXT NOT NULL,
  floor INTEGER NOT NULL,
  open TEXT NOT NULL,             -- JSON: [number]
  PRIMARY KEY (service, shard, session)
) STRICT, WITHOUT ROWID;
INSERT INTO floors VALUES ('account', 0, 'n4', 5, '[2]');
