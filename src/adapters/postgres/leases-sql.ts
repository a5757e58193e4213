/**
 * Membership, leases and the ownership of shards, as functions in the database.
 *
 * Whatever takes locks takes them in one order, so that no two wait for each other: `meta`, members by incarnation,
 * shards by service and number, then what rests in the shards. Whoever changes the view begins with `meta`, which makes
 * such changes one after the other; commits and heartbeats pass them by.
 */

import { lostState } from "./losses-sql.ts";

/**
 * How far epochs, incarnations, revisions and session numbers are raised when the database goes on as another one: more
 * than a server that was promoted too early can have missed of them. Up to as much again is left to chance, so that two
 * servers that were promoted from one do not give out the same.
 */
const jumpOfATimeline = 2 ** 32;

/**
 * Nobody writes under a lease any more, and nothing is given out twice. The caller has the row of `meta`.
 *
 * Who held a lease has not heard of that, and may answer queries from memory until it has run out. So the members stay, with their
 * shards, under incarnations that nobody renews: their leases are waited for like those of members that have crashed, or ended
 * by the members themselves when they join again (`known_as`).
 */
const anew = `
CREATE OR REPLACE FUNCTION begin_anew() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_jump bigint := ${jumpOfATimeline} + floor(random() * ${jumpOfATimeline})::bigint;
BEGIN
  UPDATE meta SET incarnations = incarnations + v_jump, revision = revision + v_jump;
  PERFORM 1 FROM members ORDER BY incarnation FOR UPDATE;
  PERFORM 1 FROM shards ORDER BY service, number FOR NO KEY UPDATE;
  UPDATE shards SET owner = owner + v_jump, epoch = epoch + v_jump, session_next = session_next + v_jump;
  UPDATE members SET known_as = coalesce(known_as, incarnation), incarnation = incarnation + v_jump;
END $$;
`;

/**
 * Every write begins with it: a server that was promoted counts on another timeline than its primary did, and what the last
 * moments of the old one gave out may be missing here (rule S5). One that is known to have lost commits takes none.
 */
const attend = `
CREATE FUNCTION attend() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  timeline_now text := left(pg_walfile_name(pg_current_wal_insert_lsn()), 8);
  timeline_before text;
  v_lost text;
BEGIN
  SELECT timeline, lost INTO timeline_before, v_lost FROM meta;
  IF v_lost IS NOT NULL THEN RAISE SQLSTATE '${lostState}' USING MESSAGE = v_lost; END IF;
  IF timeline_now = timeline_before THEN RETURN; END IF;
  UPDATE meta SET timeline = timeline_now WHERE timeline <> timeline_now;
  IF FOUND THEN PERFORM begin_anew(); END IF;
END $$;
`;

const view = `
CREATE FUNCTION view_json() RETURNS json LANGUAGE sql STABLE AS $$
  SELECT json_build_object(
    'revision', meta.revision,
    'members', (SELECT coalesce(json_agg(json_build_object('node', node, 'incarnation', incarnation, 'address', address,
      'hosts', hosts, 'draining', draining, 'renewals', renewals) ORDER BY incarnation), '[]') FROM members),
    'shards', (SELECT coalesce(json_agg(json_build_array(service, number, owner, epoch, state_version)), '[]') FROM shards))
  FROM meta
$$;
`;

const join = `
CREATE FUNCTION join_member(p_node text, p_address text, p_hosts json, p_former bigint, p_commits bigint[])
  RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  v_incarnation bigint;
  v_shards integer;
BEGIN
  PERFORM attend();
  IF has_lost(p_former, p_commits) THEN RETURN '{"status":"lost"}'; END IF;
  UPDATE meta SET incarnations = incarnations + 1, revision = revision + 1
    RETURNING incarnations, shards_per_service INTO v_incarnation, v_shards;
  INSERT INTO members VALUES (v_incarnation, p_node, p_address, p_hosts, false, 1);
  PERFORM trim_witnesses();
  INSERT INTO shards (service, number)
    SELECT host.service, number
    FROM json_to_recordset(p_hosts) AS host(service text, "stateVersion" bigint), generate_series(0, v_shards - 1) number
    WHERE host."stateVersion" IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM shards WHERE shards.service = host.service)
    ORDER BY host.service, number
    ON CONFLICT DO NOTHING;
  RETURN json_build_object('incarnation', v_incarnation, 'view', view_json());
END $$;
`;

const renew = `
CREATE FUNCTION renew(p_incarnation bigint, p_draining boolean, p_known bigint, p_commits bigint[])
  RETURNS json LANGUAGE plpgsql AS $$
BEGIN
  PERFORM attend();
  IF has_lost(p_incarnation, p_commits) THEN RETURN '{"status":"lost"}'; END IF;
  IF EXISTS (SELECT 1 FROM members WHERE incarnation = p_incarnation AND draining <> p_draining) THEN
    UPDATE meta SET revision = revision + 1;
  END IF;
  UPDATE members SET renewals = renewals + 1, draining = p_draining WHERE incarnation = p_incarnation;
  IF NOT FOUND THEN RETURN '{"status":"ended"}'; END IF;
  RETURN (
    SELECT json_build_object(
      'revision', revision,
      'renewals', (SELECT json_agg(json_build_array(incarnation, renewals) ORDER BY incarnation) FROM members),
      'view', CASE WHEN revision = p_known THEN NULL ELSE view_json() END)
    FROM meta);
END $$;
`;

/** Ends leases whose rows are locked: their shards are free, and no commit of theirs is taken any more. */
const end = `
CREATE FUNCTION end_leases(p_incarnations bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM shards WHERE owner = ANY (p_incarnations) ORDER BY service, number FOR NO KEY UPDATE;
  UPDATE shards SET owner = NULL WHERE owner = ANY (p_incarnations);
  DELETE FROM members WHERE incarnation = ANY (p_incarnations);
  UPDATE meta SET revision = revision + cardinality(p_incarnations);
END $$;

`;

const endOne = `
CREATE OR REPLACE FUNCTION end_lease(p_node text, p_incarnation bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  v_incarnation bigint;
BEGIN
  PERFORM attend();
  PERFORM 1 FROM meta FOR UPDATE;
  SELECT incarnation INTO v_incarnation FROM members
    WHERE node = p_node AND p_incarnation IN (incarnation, known_as) FOR UPDATE;
  IF NOT FOUND THEN RETURN false; END IF;
  PERFORM end_leases(ARRAY[v_incarnation]);
  RETURN true;
END $$;
`;

const claim = `
CREATE FUNCTION claim(p_incarnation bigint, p_services text[], p_numbers integer[], p_expired bigint[], p_renewals bigint[])
  RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  v_hosts json;
  v_ended bigint[];
  v_claimed json;
BEGIN
  PERFORM attend();
  PERFORM 1 FROM meta FOR UPDATE;
  PERFORM 1 FROM members WHERE incarnation = p_incarnation OR incarnation = ANY (p_expired)
    ORDER BY incarnation FOR UPDATE;
  SELECT hosts INTO v_hosts FROM members WHERE incarnation = p_incarnation;
  IF NOT FOUND THEN RETURN '{"status":"ended"}'; END IF;

  -- Each is ended only if its counter is still the one that the claimer watched.
  SELECT coalesce(array_agg(DISTINCT m.incarnation), '{}') INTO v_ended
    FROM members m JOIN unnest(p_expired, p_renewals) AS seen(incarnation, renewals) USING (incarnation)
    WHERE m.renewals = seen.renewals AND m.incarnation <> p_incarnation;

  -- All shards that this will touch, in one ascending pass.
  PERFORM 1 FROM shards s
    WHERE s.owner = ANY (v_ended) OR (s.service, s.number) IN (SELECT * FROM unnest(p_services, p_numbers))
    ORDER BY s.service, s.number FOR NO KEY UPDATE;
  IF cardinality(v_ended) > 0 THEN PERFORM end_leases(v_ended); END IF;

  WITH taken AS (
    UPDATE shards s SET owner = p_incarnation, epoch = s.epoch + 1
    FROM json_to_recordset(v_hosts) AS host(service text, "stateVersion" bigint)
    WHERE (s.service, s.number) IN (SELECT * FROM unnest(p_services, p_numbers))
      AND (s.owner IS NULL OR s.owner = p_incarnation)
      AND host.service = s.service AND host."stateVersion" >= s.state_version
    RETURNING s.*)
  SELECT json_agg(json_build_object('service', service, 'number', number, 'epoch', epoch,
      'stateVersion', state_version, 'watermark', watermark, 'sessionNext', session_next,
      'floors', (SELECT coalesce(json_agg(json_build_object('session', session, 'floor', floor, 'open', open)), '[]')
        FROM floors WHERE floors.shard = taken.id)))
    INTO v_claimed FROM taken;
  IF v_claimed IS NOT NULL THEN UPDATE meta SET revision = revision + 1; END IF;
  RETURN json_build_object('claimed', coalesce(v_claimed, '[]'), 'view', view_json());
END $$;
`;

const release = `
CREATE FUNCTION release(p_incarnation bigint, p_services text[], p_numbers integer[], p_epochs bigint[])
  RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM attend();
  PERFORM 1 FROM meta FOR UPDATE;
  PERFORM 1 FROM shards s WHERE (s.service, s.number) IN (SELECT * FROM unnest(p_services, p_numbers))
    ORDER BY s.service, s.number FOR NO KEY UPDATE;
  UPDATE shards s SET owner = NULL FROM unnest(p_services, p_numbers, p_epochs) AS given(service, number, epoch)
    WHERE s.service = given.service AND s.number = given.number AND s.epoch = given.epoch AND s.owner = p_incarnation;
  IF FOUND THEN UPDATE meta SET revision = revision + 1; END IF;
END $$;
`;

/** What changed in them with form 3. */
export const outlastedLeases: string = [anew, endOne].join("");

export const leaseFunctions: string = [anew, attend, view, join, renew, end, endOne, claim, release].join("");
