/** Reading what is durable and forgetting what is old, as functions in the database. */

/**
 * Forgets records of one shard, no further than the bound. Everything is found by way of the index over age, however many
 * records a shard holds; timed ones go instant by instant, up to the first that must stay.
 */
const trim = `
CREATE FUNCTION trim_shard(p_incarnation bigint, p_service text, p_number integer, p_epoch bigint,
  p_finished_before bigint, p_timed_cap bigint, p_timed_rows_max bigint, p_ended json, p_remove_max bigint)
  RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  s record;
  x record;
  v_opaque bigint;
  v_timed bigint := 0;
  v_left bigint;
  v_passed bigint := 0;
  v_watermark bigint;
BEGIN
  PERFORM attend();
  SELECT * INTO s FROM shards WHERE service = p_service AND number = p_number FOR NO KEY UPDATE;
  IF NOT FOUND OR s.owner IS DISTINCT FROM p_incarnation OR s.epoch <> p_epoch THEN RETURN '{"status":"fenced"}'; END IF;
  FOR x IN SELECT * FROM json_to_recordset(p_ended) AS given(session text, "from" text, "to" text, base text) LOOP
    PERFORM settle(s.id, x."from", x."to", x.base, '{}');
    DELETE FROM floors WHERE shard = s.id AND session = x.session;
  END LOOP;

  DELETE FROM records WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM records WHERE shard = s.id AND key_time IS NULL AND finished_at IS NOT NULL
      AND finished_at < p_finished_before ORDER BY finished_at LIMIT p_remove_max));
  GET DIAGNOSTICS v_opaque = ROW_COUNT;

  v_left := p_remove_max - v_opaque;
  v_watermark := s.watermark;
  IF v_left > 0 THEN
    FOR x IN SELECT key_time, count(*) AS size, max(finished_at) AS finished_last FROM records
      WHERE shard = s.id AND finished_at IS NOT NULL AND key_time IS NOT NULL GROUP BY key_time ORDER BY key_time
    LOOP
      EXIT WHEN x.key_time > v_watermark AND (x.key_time > p_timed_cap
        OR NOT (s.timed_records - v_passed > p_timed_rows_max OR x.finished_last < p_finished_before));
      v_watermark := greatest(v_watermark, x.key_time);
      v_passed := v_passed + x.size;
      EXIT WHEN v_passed >= v_left;
    END LOOP;
    DELETE FROM records WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM records WHERE shard = s.id AND finished_at IS NOT NULL AND key_time <= v_watermark
      ORDER BY key_time, finished_at LIMIT v_left));
    GET DIAGNOSTICS v_timed = ROW_COUNT;
  END IF;
  IF v_timed > 0 OR v_watermark <> s.watermark THEN
    UPDATE shards SET watermark = v_watermark, timed_records = timed_records - v_timed WHERE id = s.id;
  END IF;
  RETURN json_build_object('status', 'trimmed', 'removed', v_opaque + v_timed,
    'more', v_opaque + v_timed >= p_remove_max, 'watermark', v_watermark);
END $$;
`;

/**
 * Reads of all kinds at once: what each found, as rows of JSON under the number of the read. It is STABLE, so that all of
 * them see one moment.
 */
const read = `
CREATE FUNCTION read_rows(p_reads json) RETURNS TABLE (place integer, content json) LANGUAGE plpgsql STABLE AS $$
DECLARE
  x record;
BEGIN
  RETURN QUERY
    SELECT r.place, json_build_object('version', e.version, 'stateVersion', e.state_version, 'state', e.state,
      'checksum', e.checksum)
    FROM json_to_recordset(p_reads -> 'entities') AS r(place integer, service text, number integer, key text)
    JOIN shards s ON s.service = r.service AND s.number = r.number
    JOIN entities e ON e.shard = s.id AND e.key = r.key;
  RETURN QUERY
    SELECT r.place, json_build_object('id', c.id, 'inputHash', c.input_hash, 'reply', c.reply,
      'finishedAt', c.finished_at, 'keyTime', c.key_time, 'checksum', c.checksum)
    FROM json_to_recordset(p_reads -> 'records') AS r(place integer, service text, number integer, id text)
    JOIN shards s ON s.service = r.service AND s.number = r.number
    JOIN records c ON c.shard = s.id AND c.id = r.id;
  FOR x IN
    SELECT s.id AS shard, r.* FROM json_to_recordset(p_reads -> 'pages') AS r(place integer, service text, number integer,
      kind text, key text, after bigint, "limit" bigint, "dueAt" bigint, name text)
    JOIN shards s ON s.service = r.service AND s.number = r.number
  LOOP
    RETURN QUERY SELECT x.place, page.content FROM read_page(x.shard, x.kind, x.key, x.after, x."limit", x."dueAt", x.name) page;
  END LOOP;
END $$;
`;

const itemColumns = `number, key, operation, input, id, input_hash AS "inputHash", key_time AS "keyTime",
  call_session AS "callSession", call_number AS "callNumber", principal, request, traceparent,
  accepted_at AS "acceptedAt", checksum, attempts, parked, holds_turn AS "holdsTurn",
  progress_checksum AS "progressChecksum"`;
const messageColumns = `number, key, target_service AS service, target_key AS target, operation, input, principal,
  request, traceparent, sent_at AS "sentAt", checksum, attempts, parked, progress_checksum AS "progressChecksum"`;
const timerColumns = `t.key, t.name, t.generation, t.due_at AS "dueAt", t.target_service AS service,
  t.target_key AS target, t.operation, t.input, t.principal, t.request, t.traceparent, t.checksum,
  coalesce(c.attempts, 0) AS attempts, c.checksum AS "countChecksum"`;
const countedTimers = `timers t LEFT JOIN timer_counts c ON c.shard = t.shard AND c.key = t.key AND c.name = t.name
  AND c.generation = t.generation`;

const page = `
CREATE OR REPLACE FUNCTION read_page(p_shard integer, p_kind text, p_key text, p_after bigint, p_limit bigint, p_due_at bigint,
  p_name text) RETURNS TABLE (content json) LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF p_kind = 'inbox' THEN
    RETURN QUERY SELECT row_to_json(x) FROM (
      SELECT ${itemColumns} FROM inbox WHERE shard = p_shard AND number > p_after ORDER BY number LIMIT p_limit) x;
  ELSIF p_kind = 'inboxOf' THEN
    RETURN QUERY SELECT json_build_object('item', row_to_json(x), 'journal', (
        SELECT coalesce(json_agg(json_build_object('id', j.id, 'name', j.name, 'inputHash', j.input_hash,
          'outcome', j.outcome, 'checksum', j.checksum) ORDER BY j.place), '[]')
        FROM journal j WHERE j.shard = p_shard AND j.item = x.number))
      FROM (SELECT ${itemColumns} FROM inbox WHERE shard = p_shard AND key = p_key AND number > p_after
        ORDER BY number LIMIT p_limit) x;
  ELSIF p_kind = 'outbox' THEN
    RETURN QUERY SELECT row_to_json(x) FROM (
      SELECT ${messageColumns} FROM outbox WHERE shard = p_shard AND number > p_after ORDER BY number LIMIT p_limit) x;
  ELSIF p_name IS NULL THEN
    RETURN QUERY SELECT row_to_json(x) FROM (
      SELECT ${timerColumns} FROM ${countedTimers} WHERE t.shard = p_shard
      ORDER BY t.due_at, t.key, t.name LIMIT p_limit) x;
  ELSE
    RETURN QUERY SELECT row_to_json(x) FROM (
      SELECT ${timerColumns} FROM ${countedTimers}
      WHERE t.shard = p_shard AND (t.due_at, t.key, t.name) > (p_due_at, p_key COLLATE "C", p_name COLLATE "C")
      ORDER BY t.due_at, t.key, t.name LIMIT p_limit) x;
  END IF;
END $$;
`;

/** What changed in them with form 2. */
export const countedPages: string = page;

export const upkeepFunctions: string = [trim, page, read].join("");
