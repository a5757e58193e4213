/**
 * The tables of a store, as SQL, in a PostgreSQL schema of their own. State can be read with SQL by the view `states`.
 *
 * What rests in a shard has the shard's number in `shards.id`, which is short, and text sorts by its bytes, whatever the
 * database's own collation. Rows that change often have room left beside them, so that an update stays in its page and
 * touches no index.
 */

/** Schema 1. Never edited once it is released: what is added later stands below it. */
export const firstTables = `
CREATE TABLE meta (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  schema integer NOT NULL,
  system text NOT NULL,
  cluster bigint NOT NULL,
  shards_per_service integer NOT NULL,
  secret bytea NOT NULL,
  timeline text NOT NULL,         -- of the server that the last write went to
  incarnations bigint NOT NULL,   -- the last one given out
  revision bigint NOT NULL,       -- of the view
  lost text,                      -- what this server has lost, in words: nothing is written until that is accepted
  accepted_through bigint NOT NULL DEFAULT 0  -- the last incarnation whose loss was accepted
) WITH (fillfactor = 20);

CREATE TABLE members (
  incarnation bigint PRIMARY KEY,
  node text NOT NULL,
  address text,
  hosts json NOT NULL,            -- [{ service, stateVersion }]
  draining boolean NOT NULL,
  renewals bigint NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE witnesses (
  incarnation bigint NOT NULL,
  lane integer NOT NULL,          -- of its commits; one is under way in each
  commits bigint NOT NULL,        -- that were taken
  PRIMARY KEY (incarnation, lane)
) WITH (fillfactor = 50);

CREATE TABLE shards (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  service text COLLATE "C" NOT NULL,
  number integer NOT NULL,
  owner bigint,                   -- incarnation of a row in members
  epoch bigint NOT NULL DEFAULT 0,
  state_version bigint NOT NULL DEFAULT 0,
  watermark bigint NOT NULL DEFAULT 0,      -- ms since 1970
  timed_records bigint NOT NULL DEFAULT 0,  -- rows in records that have a key_time
  session_next bigint NOT NULL DEFAULT 1,   -- of the shard's own session
  UNIQUE (service, number)
) WITH (fillfactor = 50);

CREATE TABLE entities (
  shard integer NOT NULL,         -- an id in shards, here and below
  key text COLLATE "C" NOT NULL,
  version bigint NOT NULL,
  state_version bigint NOT NULL,
  state text NOT NULL,            -- JSON
  checksum bigint NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (shard, key)
) WITH (fillfactor = 80);

CREATE TABLE records (
  shard integer NOT NULL,
  id text COLLATE "C" NOT NULL,
  input_hash text NOT NULL,
  reply text NOT NULL,            -- JSON
  finished_at bigint,             -- ms since 1970; NULL for calls of a session, which a floor removes
  key_time bigint,                -- ms since 1970; NULL for opaque keys
  checksum bigint NOT NULL,
  PRIMARY KEY (shard, id)
);

CREATE INDEX records_by_age ON records (shard, key_time, finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE floors (
  shard integer NOT NULL,
  session text COLLATE "C" NOT NULL,
  floor bigint NOT NULL,
  open json NOT NULL,             -- [number]
  PRIMARY KEY (shard, session)
) WITH (fillfactor = 50);

CREATE TABLE inbox (
  shard integer NOT NULL,
  number bigint NOT NULL,
  key text COLLATE "C" NOT NULL,
  operation text NOT NULL,
  input text,                     -- JSON
  id text NOT NULL,
  input_hash text NOT NULL,
  key_time bigint,                -- ms since 1970
  call_session text,
  call_number bigint,
  principal text NOT NULL,
  request text NOT NULL,
  traceparent text,
  accepted_at bigint NOT NULL,    -- ms since 1970
  checksum bigint NOT NULL,       -- of all above
  attempts bigint NOT NULL,
  parked text,                    -- JSON: { code, message, at }
  holds_turn boolean NOT NULL,
  progress_checksum bigint NOT NULL,
  PRIMARY KEY (shard, number)
) WITH (fillfactor = 80);

CREATE INDEX inbox_by_key ON inbox (shard, key, number);

CREATE TABLE journal (
  shard integer NOT NULL,
  item bigint NOT NULL,           -- a number in inbox
  id text COLLATE "C" NOT NULL,
  place bigint GENERATED ALWAYS AS IDENTITY,  -- in the order of the entries
  name text NOT NULL,
  input_hash text NOT NULL,
  outcome text,                   -- JSON
  checksum bigint NOT NULL,
  PRIMARY KEY (shard, item, id)
) WITH (fillfactor = 80);

CREATE TABLE outbox (
  shard integer NOT NULL,
  number bigint NOT NULL,
  key text NOT NULL,
  target_service text NOT NULL,
  target_key text,
  operation text NOT NULL,
  input text,                     -- JSON
  principal text NOT NULL,
  request text NOT NULL,
  traceparent text,
  sent_at bigint NOT NULL,        -- ms since 1970
  checksum bigint NOT NULL,       -- of all above
  attempts bigint NOT NULL,
  parked text,                    -- JSON: { code, message, at }
  progress_checksum bigint NOT NULL,
  PRIMARY KEY (shard, number)
) WITH (fillfactor = 80);

CREATE TABLE timers (
  shard integer NOT NULL,
  key text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  generation bigint NOT NULL,
  due_at bigint NOT NULL,         -- ms since 1970
  target_service text,            -- NULL for a named timer, which runs an operation of its own entity
  target_key text,
  operation text NOT NULL,
  input text,                     -- JSON
  principal text NOT NULL,
  request text NOT NULL,
  traceparent text,
  checksum bigint NOT NULL,
  PRIMARY KEY (shard, key, name)
);

CREATE INDEX timers_by_due ON timers (shard, due_at, key, name);

CREATE VIEW states AS
  SELECT s.service, s.number AS shard, e.key, e.state::json AS state, e.state_version, e.version, e.updated_at
  FROM entities e JOIN shards s ON s.id = e.shard;
COMMENT ON VIEW states IS 'The durable state of every entity, for reading. One row per entity that is not in its initial state.';
`;

/** Form 2: how often a timer was tried. A row whose generation is not its timer's says nothing. */
export const timerCounts = `
CREATE TABLE timer_counts (
  shard integer NOT NULL,
  key text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  generation bigint NOT NULL,
  attempts bigint NOT NULL,
  checksum bigint NOT NULL,
  PRIMARY KEY (shard, key, name)
);
`;

/** Form 3: the incarnation under which a member knows itself, where a new timeline has given it another one. */
export const formerIncarnations = `
ALTER TABLE members ADD COLUMN known_as bigint;
`;
