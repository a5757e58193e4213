/**
 * Commits, as a function in the database: one statement that checks everything, writes everything and says what it found,
 * so that a whole batch takes one round trip and one sync of the log, and no transaction ever waits for its client.
 *
 * The fence (rules S2, S4): the rows of the batch's shards are locked in ascending order, the same rows that a claim
 * updates, and compared with owner and epoch under that lock, at READ COMMITTED. From then on nobody else can write in
 * these shards until the transaction has ended, so what is checked afterwards stays true.
 *
 * What changes in entities is written first and counted: when fewer rows were touched than the batch has, the block is
 * rolled back, and only then it is looked up which entities they were. Rows of `shards` are changed outside of that block,
 * because a row that is locked before and changed within it would need a multixact.
 *
 * Arrays run side by side: those that begin with e_ have an element for each entity, those with r_ for each record, and
 * e_shard and r_shard count the batch's shards from 1.
 */

/**
 * Every function that writes has these. Who waits for a lock that long is told that nothing happened. The plans are always
 * the same: by way of the indices, however little the server knows of the tables, and never compiled.
 */
export const settingsOfWrites = [
  "lock_timeout = '1s'",
  "plan_cache_mode = force_generic_plan",
  "enable_seqscan = off",
  "enable_hashjoin = off",
  "enable_mergejoin = off",
  "jit = off",
] as const;

const wrongNumber = "numbers";
const forgottenKey = "forgotten";
/** Why a commit is refused by what the store knows. */
export type RefusalReason = typeof wrongNumber | typeof forgottenKey;

/** Finds the first shard with numbers that were never given out or are taken, or with a timed key that is forgotten. */
const refusal = `
CREATE FUNCTION refusal_of(ids integer[], marks bigint[], s_session_next bigint[], s_number_last bigint[],
  e_key text[], r_shard integer[], r_entity integer[], r_id text[], r_key_time bigint[], p_work json)
  RETURNS json LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (SELECT json_build_object('status', 'refused', 'at', at - 1, 'reason', reason)
  FROM (
    SELECT given.at, 0 AS rank, '${wrongNumber}' AS reason
      FROM unnest(ids, s_session_next, s_number_last) WITH ORDINALITY AS given(id, session_next, number_last, at)
      JOIN shards s ON s.id = given.id
      WHERE given.session_next < s.session_next
        OR given.number_last >= coalesce(given.session_next, s.session_next)
    UNION ALL
    SELECT x.shard, 0, '${wrongNumber}'
      FROM json_to_recordset(p_work -> 'released') AS x(shard integer, number bigint)
      JOIN outbox o ON o.shard = ids[x.shard] AND o.number = x.number
    UNION ALL
    SELECT r.shard, 1, '${forgottenKey}'
      FROM unnest(r_shard, r_entity, r_id, r_key_time) AS r(shard, entity, id, key_time)
      WHERE r.key_time <= marks[r.shard] AND NOT EXISTS (
        SELECT 1 FROM json_to_recordset(p_work -> 'finished') AS f(entity integer, number bigint)
        JOIN inbox i ON i.shard = ids[r.shard] AND i.number = f.number
        WHERE f.entity = r.entity AND i.key = e_key[r.entity] AND i.id = r.id)
  ) faults
  ORDER BY at, rank LIMIT 1);
END $$;
`;

/** The entities of a batch about which something is not as their changes expect it. */
const conflicts = `
CREATE FUNCTION conflicts_of(ids integer[], e_shard integer[], e_key text[], e_expected bigint[],
  r_shard integer[], r_entity integer[], r_id text[], p_work json)
  RETURNS json LANGUAGE sql STABLE AS $$
  SELECT json_build_object('status', 'conflict', 'entities', coalesce(json_agg(DISTINCT entity), '[]'))
  FROM (
    SELECT given.entity
      FROM unnest(e_shard, e_key, e_expected) WITH ORDINALITY AS given(shard, key, expected, entity)
      LEFT JOIN entities e ON e.shard = ids[given.shard] AND e.key = given.key
      WHERE coalesce(e.version, 0) <> given.expected
    UNION ALL
    SELECT given.entity
      FROM unnest(r_shard, r_entity, r_id) AS given(shard, entity, id)
      JOIN records r ON r.shard = ids[given.shard] AND r.id = given.id
    UNION ALL
    SELECT x.entity
      FROM json_to_recordset(p_work -> 'accepted') AS x(shard integer, entity integer, number bigint)
      JOIN inbox i ON i.shard = ids[x.shard] AND i.number = x.number
    UNION ALL
    SELECT x.entity
      FROM json_to_recordset(p_work -> 'sent') AS x(shard integer, entity integer, number bigint)
      JOIN outbox o ON o.shard = ids[x.shard] AND o.number = x.number
    UNION ALL
    SELECT x.entity
      FROM json_to_recordset(p_work -> 'finished') AS x(shard integer, entity integer, number bigint)
      LEFT JOIN inbox i ON i.shard = ids[x.shard] AND i.number = x.number AND i.key = e_key[x.entity]
      WHERE i.number IS NULL
  ) stale
$$;
`;

/** Writes entities; answers how many rows were as their changes expect them. */
const entities = `
CREATE FUNCTION write_entities(ids integer[], e_shard integer[], e_kind integer[], e_key text[], e_expected bigint[],
  e_version bigint[], e_state_version bigint[], e_state text[], e_checksum bigint[], e_counts integer[])
  RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  v_rows integer;
  v_total integer := 0;
BEGIN
  IF e_counts[1] > 0 THEN
    INSERT INTO entities (shard, key, version, state_version, state, checksum)
      SELECT ids[c.shard], c.key, c.version, c.state_version, c.state, c.checksum
      FROM unnest(e_shard, e_kind, e_key, e_version, e_state_version, e_state, e_checksum)
        AS c(shard, kind, key, version, state_version, state, checksum)
      WHERE c.kind = 1
      ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    v_total := v_total + v_rows;
  END IF;
  IF e_counts[2] > 0 THEN
    UPDATE entities e
      SET version = c.version, state_version = c.state_version, state = c.state, checksum = c.checksum, updated_at = now()
      FROM unnest(e_shard, e_kind, e_key, e_expected, e_version, e_state_version, e_state, e_checksum)
        AS c(shard, kind, key, expected, version, state_version, state, checksum)
      WHERE c.kind = 2 AND e.shard = ids[c.shard] AND e.key = c.key AND e.version = c.expected;
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    v_total := v_total + v_rows;
  END IF;
  IF e_counts[3] > 0 THEN
    DELETE FROM entities e USING unnest(e_shard, e_kind, e_key, e_expected) AS c(shard, kind, key, expected)
      WHERE c.kind = 3 AND e.shard = ids[c.shard] AND e.key = c.key AND e.version = c.expected;
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    v_total := v_total + v_rows;
  END IF;
  IF e_counts[4] > 0 THEN
    SELECT count(*) INTO v_rows
      FROM unnest(e_shard, e_kind, e_key, e_expected) AS c(shard, kind, key, expected)
      LEFT JOIN entities e ON e.shard = ids[c.shard] AND e.key = c.key
      WHERE c.kind = 4 AND coalesce(e.version, 0) = c.expected;
    v_total := v_total + v_rows;
  END IF;
  RETURN v_total;
END $$;
`;

/** Adds records. One whose timed key is forgotten is that of a finished item, or the batch was refused: it is kept as an opaque one. */
const records = `
CREATE FUNCTION write_records(ids integer[], marks bigint[], r_shard integer[], r_id text[], r_input_hash text[], r_reply text[],
  r_finished_at bigint[], r_key_time bigint[], r_checksum bigint[], r_opaque_checksum bigint[])
  RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  v_rows integer;
BEGIN
  INSERT INTO records
    SELECT ids[c.shard], c.id, c.input_hash, c.reply, c.finished_at,
      CASE WHEN c.key_time <= marks[c.shard] THEN NULL ELSE c.key_time END,
      CASE WHEN c.key_time <= marks[c.shard] THEN c.opaque_checksum ELSE c.checksum END
    FROM unnest(r_shard, r_id, r_input_hash, r_reply, r_finished_at, r_key_time, r_checksum, r_opaque_checksum)
      AS c(shard, id, input_hash, reply, finished_at, key_time, checksum, opaque_checksum)
    ON CONFLICT DO NOTHING;
  GET DIAGNOSTICS v_rows = ROW_COUNT;
  RETURN v_rows;
END $$;
`;

/** Notes in the rows of the shards what has risen: numbers given out, state versions, and how many timed records there are. */
const shards = `
CREATE FUNCTION write_shards(ids integer[], marks bigint[], s_session_next bigint[], s_state_version bigint[],
  r_shard integer[], r_key_time bigint[])
  RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE shards s
    SET session_next = coalesce(given.session_next, s.session_next),
      state_version = greatest(s.state_version, given.state_version),
      timed_records = s.timed_records + coalesce(timed.size, 0)
    FROM unnest(ids, s_session_next, s_state_version) WITH ORDINALITY AS given(id, session_next, state_version, at)
    LEFT JOIN (
      SELECT r.shard AS at, count(*) AS size FROM unnest(r_shard, r_key_time) AS r(shard, key_time)
      WHERE r.key_time > marks[r.shard] GROUP BY r.shard
    ) timed ON timed.at = given.at
    WHERE s.id = given.id
      AND (given.session_next > s.session_next OR given.state_version > s.state_version OR timed.size > 0);
END $$;
`;

/**
 * What a batch has nothing of is not looked for: most have no number, no timed key and no pending work, and one that says no
 * state version (its sender knows that the shard has it) cannot raise it.
 */
const commit = `
CREATE OR REPLACE FUNCTION commit_batch(p_incarnation bigint, p_lane integer, s_service text[], s_number integer[], s_epoch bigint[],
  s_session_next bigint[], s_number_last bigint[], s_state_version bigint[],
  e_shard integer[], e_kind integer[], e_key text[], e_expected bigint[], e_version bigint[], e_state_version bigint[],
  e_state text[], e_checksum bigint[], e_counts integer[],
  r_shard integer[], r_entity integer[], r_id text[], r_input_hash text[], r_reply text[], r_finished_at bigint[],
  r_key_time bigint[], r_checksum bigint[], r_opaque_checksum bigint[], p_work json)
  RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  ids integer[];
  marks bigint[];  -- the watermarks of the shards
  v_found json;
  v_fenced integer[];
  v_risen integer := 0;
  v_numbered boolean;
  v_timed boolean := cardinality(array_remove(r_key_time, NULL)) > 0;
  v_commits bigint;
BEGIN
  PERFORM attend();
  -- A state version that rises changes the view, whose row comes before those of shards. Only the owner raises it.
  IF cardinality(array_remove(s_state_version, NULL)) > 0 THEN
    SELECT count(*) FILTER (WHERE given.state_version > s.state_version) INTO v_risen
      FROM unnest(s_service, s_number, s_state_version) AS given(service, number, state_version)
      JOIN shards s ON s.service = given.service AND s.number = given.number;
    IF v_risen > 0 THEN PERFORM 1 FROM meta FOR UPDATE; END IF;
  END IF;

  SELECT array_agg(locked.id ORDER BY locked.at), array_agg(locked.watermark ORDER BY locked.at),
      array_agg(locked.at ORDER BY locked.at) FILTER (WHERE NOT locked.owned)
    INTO ids, marks, v_fenced
    FROM (
      SELECT given.at, s.id, s.watermark, s.owner IS NOT DISTINCT FROM p_incarnation AND s.epoch = given.epoch AS owned
      FROM unnest(s_service, s_number, s_epoch) WITH ORDINALITY AS given(service, number, epoch, at)
      JOIN shards s ON s.service = given.service AND s.number = given.number
      ORDER BY s.service, s.number
      FOR NO KEY UPDATE OF s
    ) locked;
  IF v_fenced IS NOT NULL OR coalesce(cardinality(ids), 0) < cardinality(s_service) OR cardinality(s_service) = 0 THEN
    IF NOT EXISTS (SELECT 1 FROM members WHERE incarnation = p_incarnation) THEN RETURN '{"status":"ended"}'; END IF;
    SELECT json_agg(given.at - 1 ORDER BY given.at) INTO v_found
      FROM unnest(s_service, s_number, s_epoch) WITH ORDINALITY AS given(service, number, epoch, at)
      LEFT JOIN shards s ON s.service = given.service AND s.number = given.number
      WHERE s.owner IS DISTINCT FROM p_incarnation OR s.epoch <> given.epoch;
    IF v_found IS NOT NULL THEN RETURN json_build_object('status', 'fenced', 'shards', v_found); END IF;
    RETURN '{"status":"committed","commits":null}';
  END IF;

  v_numbered := cardinality(array_remove(s_session_next, NULL)) > 0 OR cardinality(array_remove(s_number_last, 0)) > 0;
  IF v_numbered OR v_timed OR p_work IS NOT NULL THEN
    v_found := refusal_of(ids, marks, s_session_next, s_number_last, e_key, r_shard, r_entity, r_id, r_key_time, p_work);
    IF v_found IS NOT NULL THEN RETURN v_found; END IF;
  END IF;

  BEGIN
    IF cardinality(e_key) <>
      write_entities(ids, e_shard, e_kind, e_key, e_expected, e_version, e_state_version, e_state, e_checksum, e_counts)
    THEN RAISE SQLSTATE 'SYN01'; END IF;
    IF cardinality(r_id) > 0 THEN
      IF cardinality(r_id) <>
        write_records(ids, marks, r_shard, r_id, r_input_hash, r_reply, r_finished_at, r_key_time, r_checksum, r_opaque_checksum)
      THEN RAISE SQLSTATE 'SYN01'; END IF;
    END IF;
    IF p_work IS NOT NULL AND NOT write_work(ids, e_key, p_work) THEN RAISE SQLSTATE 'SYN01'; END IF;
  EXCEPTION WHEN SQLSTATE 'SYN01' THEN
    RETURN conflicts_of(ids, e_shard, e_key, e_expected, r_shard, r_entity, r_id, p_work);
  END;
  IF v_numbered OR v_timed OR v_risen > 0 THEN
    PERFORM write_shards(ids, marks, s_session_next, s_state_version, r_shard, r_key_time);
  END IF;
  v_commits := witness(p_incarnation, p_lane);
  IF v_risen > 0 THEN UPDATE meta SET revision = revision + v_risen; END IF;
  RETURN json_build_object('status', 'committed', 'commits', v_commits);
END $$;
`;

/** What changed in them with form 4. */
export const briefCommit: string = commit;

export const commitFunctions: string = [refusal, conflicts, entities, records, shards, commit].join("");
