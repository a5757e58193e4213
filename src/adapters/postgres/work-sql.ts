/**
 * What a commit does to pending work, as functions in the database. Pending work comes as one JSON document, because most
 * batches have little of it; `entity` in it counts the batch's entities and `shard` its shards, from 1.
 */

/** Of entities: false when a number is taken, or an item that is to be finished is not the entity's. */
const entityWork = `
CREATE FUNCTION write_entity_work(ids integer[], e_key text[], p_work json) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  v_rows integer;
BEGIN
  IF json_array_length(p_work -> 'finished') > 0 THEN
    DELETE FROM inbox i USING json_to_recordset(p_work -> 'finished') AS x(shard integer, entity integer, number bigint)
      WHERE i.shard = ids[x.shard] AND i.number = x.number AND i.key = e_key[x.entity];
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    IF v_rows <> json_array_length(p_work -> 'finished') THEN RETURN false; END IF;
    DELETE FROM journal j USING json_to_recordset(p_work -> 'finished') AS x(shard integer, number bigint)
      WHERE j.shard = ids[x.shard] AND j.item = x.number;
  END IF;
  IF json_array_length(p_work -> 'accepted') > 0 THEN
    INSERT INTO inbox
      SELECT ids[x.shard], x.number, e_key[x.entity], x.operation, x.input, x.id, x."inputHash", x."keyTime",
        x."callSession", x."callNumber", x.principal, x.request, x.traceparent, x."acceptedAt", x.checksum, x.attempts,
        x.parked, x."holdsTurn", x."progressChecksum"
      FROM json_to_recordset(p_work -> 'accepted') AS x(shard integer, entity integer, number bigint, operation text,
        input text, id text, "inputHash" text, "keyTime" bigint, "callSession" text, "callNumber" bigint, principal text,
        request text, traceparent text, "acceptedAt" bigint, checksum bigint, attempts bigint, parked text,
        "holdsTurn" boolean, "progressChecksum" bigint)
      ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    IF v_rows <> json_array_length(p_work -> 'accepted') THEN RETURN false; END IF;
  END IF;
  IF json_array_length(p_work -> 'sent') > 0
    AND add_messages(ids, p_work -> 'sent') <> json_array_length(p_work -> 'sent') THEN RETURN false; END IF;
  RETURN true;
END $$;
`;

const messages = `
CREATE FUNCTION add_messages(ids integer[], p_messages json) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  v_rows integer;
BEGIN
  INSERT INTO outbox
    SELECT ids[x.shard], x.number, x.key, x.service, x.target, x.operation, x.input, x.principal, x.request,
      x.traceparent, x."sentAt", x.checksum, x.attempts, x.parked, x."progressChecksum"
    FROM json_to_recordset(p_messages) AS x(shard integer, number bigint, key text, service text, target text,
      operation text, input text, principal text, request text, traceparent text, "sentAt" bigint, checksum bigint,
      attempts bigint, parked text, "progressChecksum" bigint)
    ON CONFLICT DO NOTHING;
  GET DIAGNOSTICS v_rows = ROW_COUNT;
  RETURN v_rows;
END $$;
`;

const timers = `
CREATE OR REPLACE FUNCTION write_timers(ids integer[], p_work json) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO timers
    SELECT ids[x.shard], x.key, x.name, x.generation, x."dueAt", x.service, x.target, x.operation, x.input, x.principal,
      x.request, x.traceparent, x.checksum
    FROM json_to_recordset(p_work -> 'set') AS x(shard integer, key text, name text, generation bigint, "dueAt" bigint,
      service text, target text, operation text, input text, principal text, request text, traceparent text,
      checksum bigint)
    ON CONFLICT (shard, key, name) DO UPDATE SET generation = excluded.generation, due_at = excluded.due_at,
      target_service = excluded.target_service, target_key = excluded.target_key, operation = excluded.operation,
      input = excluded.input, principal = excluded.principal, request = excluded.request,
      traceparent = excluded.traceparent, checksum = excluded.checksum;
  DELETE FROM timers t USING json_to_recordset(p_work -> 'cleared') AS x(shard integer, key text, name text)
    WHERE t.shard = ids[x.shard] AND t.key = x.key AND t.name = x.name;
  DELETE FROM timer_counts c USING json_to_recordset(p_work -> 'cleared') AS x(shard integer, key text, name text)
    WHERE c.shard = ids[x.shard] AND c.key = x.key AND c.name = x.name;
END $$;
`;

/** What happened besides; what is not there any more is passed over. Comes after the changes of entities. */
const progress = `
CREATE OR REPLACE FUNCTION write_progress(ids integer[], p_work json) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE inbox i SET attempts = x.attempts, parked = x.parked, holds_turn = x."holdsTurn", progress_checksum = x.checksum
    FROM json_to_recordset(p_work -> 'items') AS x(shard integer, number bigint, attempts bigint, parked text,
      "holdsTurn" boolean, checksum bigint)
    WHERE i.shard = ids[x.shard] AND i.number = x.number;
  INSERT INTO journal (shard, item, id, name, input_hash, outcome, checksum)
    SELECT i.shard, i.number, e ->> 'id', e ->> 'name', e ->> 'inputHash', e ->> 'outcome', (e ->> 'checksum')::bigint
    FROM json_array_elements(p_work -> 'entries') WITH ORDINALITY AS x(e, at)
    JOIN inbox i ON i.shard = ids[(e ->> 'shard')::integer] AND i.number = (e ->> 'item')::bigint
    ORDER BY x.at
    ON CONFLICT (shard, item, id) DO UPDATE SET name = excluded.name, input_hash = excluded.input_hash,
      outcome = excluded.outcome, checksum = excluded.checksum;
  DELETE FROM inbox i USING json_to_recordset(p_work -> 'dropped') AS x(shard integer, number bigint)
    WHERE i.shard = ids[x.shard] AND i.number = x.number;
  DELETE FROM journal j USING json_to_recordset(p_work -> 'dropped') AS x(shard integer, number bigint)
    WHERE j.shard = ids[x.shard] AND j.item = x.number;
  INSERT INTO timer_counts
    SELECT t.shard, t.key, t.name, t.generation, x.attempts, x.checksum
    FROM json_to_recordset(p_work -> 'counted') AS x(shard integer, key text, name text, generation bigint,
      attempts bigint, checksum bigint)
    JOIN timers t ON t.shard = ids[x.shard] AND t.key = x.key AND t.name = x.name AND t.generation = x.generation
    ON CONFLICT (shard, key, name) DO UPDATE SET generation = excluded.generation, attempts = excluded.attempts,
      checksum = excluded.checksum;
  PERFORM release_timers(ids, p_work -> 'released');
  UPDATE outbox o SET attempts = x.attempts, parked = x.parked, progress_checksum = x.checksum
    FROM json_to_recordset(p_work -> 'messages') AS x(shard integer, number bigint, attempts bigint, parked text,
      checksum bigint)
    WHERE o.shard = ids[x.shard] AND o.number = x.number;
  DELETE FROM outbox o USING json_to_recordset(p_work -> 'settled') AS x(shard integer, number bigint)
    WHERE o.shard = ids[x.shard] AND o.number = x.number;
END $$;
`;

/** A timer's row goes if it still has its generation, and the message comes if that row went. */
const releasing = `
CREATE OR REPLACE FUNCTION release_timers(ids integer[], p_released json) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_messages json;
BEGIN
  IF json_array_length(p_released) = 0 THEN RETURN; END IF;
  WITH gone AS (
    DELETE FROM timers t USING json_array_elements(p_released) AS x
      WHERE t.shard = ids[(x ->> 'shard')::integer] AND t.key = x ->> 'key' AND t.name = x ->> 'name'
        AND t.generation = (x ->> 'generation')::bigint
      RETURNING x),
    uncounted AS (
      DELETE FROM timer_counts c USING gone
      WHERE c.shard = ids[(gone.x ->> 'shard')::integer] AND c.key = gone.x ->> 'key' AND c.name = gone.x ->> 'name')
  SELECT json_agg(x) INTO v_messages FROM gone;
  IF v_messages IS NOT NULL THEN PERFORM add_messages(ids, v_messages); END IF;
END $$;
`;

/**
 * A floor and the removal of what it settles are one transaction: what is gone is refused from then on. Ids of one session
 * stand together in their order, so a floor is one range; an open number protects all records of its own.
 */
const floors = `
CREATE FUNCTION settle(p_shard integer, p_from text, p_to text, p_base text, p_open text[])
  RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM records WHERE shard = p_shard AND id >= p_from COLLATE "C" AND id < p_to COLLATE "C"
    AND finished_at IS NULL AND left(id, length(p_base)) <> ALL (p_open);
END $$;

CREATE FUNCTION write_floors(ids integer[], p_floors json) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  x record;
BEGIN
  FOR x IN SELECT * FROM json_to_recordset(p_floors) AS given(shard integer, session text, floor bigint, open json,
    "from" text, "to" text, base text, "openIds" text[])
  LOOP
    INSERT INTO floors VALUES (ids[x.shard], x.session, x.floor, x.open)
      ON CONFLICT (shard, session) DO UPDATE SET floor = excluded.floor, open = excluded.open;
    PERFORM settle(ids[x.shard], x."from", x."to", x.base, x."openIds");
  END LOOP;
END $$;
`;

const work = `
CREATE FUNCTION write_work(ids integer[], e_key text[], p_work json) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF NOT write_entity_work(ids, e_key, p_work) THEN RETURN false; END IF;
  IF json_array_length(p_work -> 'set') + json_array_length(p_work -> 'cleared') > 0 THEN
    PERFORM write_timers(ids, p_work);
  END IF;
  IF (p_work ->> 'progress')::boolean THEN PERFORM write_progress(ids, p_work); END IF;
  PERFORM write_floors(ids, p_work -> 'floors');
  RETURN true;
END $$;
`;

/** What changed in them with form 2. */
export const countedTimers: string = [timers, releasing, progress].join("");

export const workFunctions: string = [messages, entityWork, timers, releasing, progress, floors, work].join("");
