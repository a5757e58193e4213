/**
 * How it is found out that a server has lost commits that were acknowledged, as functions in the database.
 *
 * Think of somebody who counts the letters that he was given receipts for, and of a clerk who counts those in the drawer.
 * Every commit raises the count of its node and lane in `witnesses`, in its own transaction, and answers it. What is in the
 * log before a commit is there when the commit is there, so a server whose counts are not behind those that the node was
 * answered has all that this node was acknowledged. A server that is behind was promoted too early, or restored, and its count
 * can only be compared as long as the node remembers its own.
 *
 * The node says its count with each heartbeat, and when it joins again. A server that is found to be behind notes that in
 * `meta`, and from then on no write is taken from anybody, until an operator accepts what is gone (rule S5).
 */

/** Rows that are kept of nodes that have joined, the newest; far more than join between a commit and the next heartbeat. */
const witnessesMax = 10_000;
/** What writes raise when the server has lost commits. */
export const lostState = "SYN02";

const witness = `
CREATE FUNCTION has_lost(p_incarnation bigint, p_commits bigint[]) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  v_known bigint;
  v_here bigint;
BEGIN
  IF cardinality(p_commits) = 0 OR p_incarnation <= (SELECT accepted_through FROM meta) THEN RETURN false; END IF;
  SELECT known.commits, coalesce(w.commits, 0) INTO v_known, v_here
    FROM unnest(p_commits) WITH ORDINALITY AS known(commits, lane)
    LEFT JOIN witnesses w ON w.incarnation = p_incarnation AND w.lane = known.lane
    WHERE coalesce(w.commits, 0) < known.commits ORDER BY known.lane LIMIT 1;
  IF NOT FOUND THEN RETURN false; END IF;
  UPDATE meta SET lost = format('%s commits of the node with incarnation %s were acknowledged, and only %s are here',
    v_known, p_incarnation, v_here) WHERE lost IS NULL;
  RETURN true;
END $$;

CREATE FUNCTION witness(p_incarnation bigint, p_lane integer) RETURNS bigint LANGUAGE sql AS $$
  INSERT INTO witnesses VALUES (p_incarnation, p_lane, 1)
    ON CONFLICT (incarnation, lane) DO UPDATE SET commits = witnesses.commits + 1 RETURNING commits
$$;

CREATE FUNCTION trim_witnesses() RETURNS void LANGUAGE sql AS $$
  DELETE FROM witnesses WHERE incarnation IN (
    SELECT incarnation FROM witnesses ORDER BY incarnation DESC OFFSET ${witnessesMax} LIMIT 10)
$$;
`;

/** For operators: goes on with what is here, as after a backup was restored. */
const acceptance = `
CREATE FUNCTION accept_loss() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_lost text;
BEGIN
  SELECT lost INTO v_lost FROM meta FOR UPDATE;
  IF v_lost IS NULL THEN RETURN 'nothing is known to be lost'; END IF;
  PERFORM begin_anew();
  UPDATE meta SET lost = NULL, cluster = cluster + 1, accepted_through = incarnations;
  RETURN 'accepted: ' || v_lost;
END $$;
COMMENT ON FUNCTION accept_loss() IS 'Goes on without commits that were acknowledged and are not in this server.';
`;

export const lossFunctions: string = [witness, acceptance].join("");
