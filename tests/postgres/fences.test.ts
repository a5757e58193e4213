/** What only a store with concurrent writers has to get right: fences under real contention, and lost connections. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Client } from "pg";
import { openPostgresStore } from "../../src/adapters/postgres/store.ts";
import { batch, commit, note, own, put, readRow, rowAt } from "../../src/conformance/store/fixture.ts";
import { SynodError } from "../../src/errors.ts";
import type { Store } from "../../src/ports/store.ts";
import { createDatabase, type TestDatabase } from "./databases.ts";
import { system } from "./server.ts";

interface World extends AsyncDisposable {
  readonly database: TestDatabase;
  readonly store: Store;
  /** Another program with a transaction of its own, in the store's schema. */
  readonly stranger: Client;
  /** Resolves when somebody waits for a lock in this store. */
  blocked(): Promise<void>;
}

async function open(): Promise<World> {
  const database = await createDatabase();
  const store = await openPostgresStore({ url: database.url, system });
  const stranger = new Client({ connectionString: database.url.replace(/\?.*/, "") });
  await stranger.connect();
  await stranger.query(`SET search_path = ${database.schema}`);
  const blocked = async (): Promise<void> => {
    const deadline = performance.now() + 900;
    for (;;) {
      const rows = await database.query(
        `SELECT 1 FROM pg_locks l JOIN pg_stat_activity a USING (pid)
         WHERE NOT l.granted AND a.query LIKE '%${database.schema}%'`,
      );
      if (rows.length > 0) return;
      assert.ok(performance.now() < deadline, "somebody waits for a lock");
    }
  };
  return {
    database,
    store,
    stranger,
    blocked,
    [Symbol.asyncDispose]: async () => {
      await stranger.end();
      await store.close();
      await database[Symbol.asyncDispose]();
    },
  };
}

test("a commit that meets a claim of its shard waits for it, and is fenced by it", async () => {
  await using world = await open();
  const { store, stranger } = world;
  const owner = await own(store, "account");
  await commit(store, owner, put("alice", 0, 1));
  await stranger.query("BEGIN; UPDATE shards SET epoch = epoch + 1 WHERE service = 'account' AND number = 0");
  const answer = store.commit(batch(owner, put("alice", 1, 2)));
  await world.blocked();
  await stranger.query("COMMIT");
  assert.deepEqual(await answer, { status: "fenced", shards: [owner.shard] });
  assert.deepEqual(await readRow(store, owner.shard, "alice"), rowAt(1));
});

test("a claim that meets a commit of its shard waits for it, and hands on what it has written", async () => {
  await using world = await open();
  const { store, stranger } = world;
  const owner = await own(store, "account");
  await commit(store, owner, put("alice", 0, 1));
  // The commit has its shard, and waits for a row.
  await stranger.query("BEGIN; UPDATE entities SET updated_at = now() WHERE key = 'alice'");
  const committed = store.commit(batch(owner, put("alice", 1, 2)));
  await world.blocked();
  const heir = await store.join({ node: "heir", address: null, hosts: [{ service: "account", stateVersion: 1 }] });
  const expired = [{ incarnation: owner.incarnation, renewals: 1 }];
  const claimed = store.claim({ incarnation: heir.incarnation, shards: [owner.shard], expired });
  await stranger.query("COMMIT");
  assert.equal((await committed).status, "committed");
  const result = await claimed;
  assert.ok(result.status === "claimed" && result.claimed[0]?.epoch === owner.epoch + 1);
  assert.deepEqual(await readRow(store, owner.shard, "alice"), rowAt(2));
});

test("a commit whose connection is lost has an unknown outcome, and the next one finds another connection", async () => {
  await using world = await open();
  const { store, stranger, database } = world;
  const owner = await own(store, "account");
  await commit(store, owner, put("alice", 0, 1));
  await stranger.query("BEGIN; UPDATE entities SET updated_at = now() WHERE key = 'alice'");
  const answer = store.commit(batch(owner, put("alice", 1, 2)));
  const outcome = assert.rejects(answer, (error) => error instanceof SynodError && error.outcome === "unknown");
  await world.blocked();
  await database.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE application_name = 'synod commits' AND query LIKE '%${database.schema}%'`,
  );
  await outcome;
  await stranger.query("ROLLBACK");
  const { version } = (await readRow(store, owner.shard, "alice"))!;
  await commit(store, owner, put("alice", version, version + 1));
});

test("a heartbeat passes by a commit that waits, and a commit by a heartbeat", async () => {
  await using world = await open();
  const { store, stranger } = world;
  const owner = await own(store, "account");
  await commit(store, owner, put("alice", 0, 1));
  const { incarnation } = owner;
  const renewal = () => store.renew({ incarnation, draining: false, knownRevision: 0 });
  await stranger.query("BEGIN; UPDATE entities SET updated_at = now() WHERE key = 'alice'");
  const committed = store.commit(batch(owner, put("alice", 1, 2)));
  await world.blocked();
  assert.equal((await renewal()).status, "renewed");
  await stranger.query("COMMIT");
  assert.equal((await committed).status, "committed");

  await stranger.query(`BEGIN; SELECT 1 FROM members WHERE incarnation = ${incarnation} FOR UPDATE`);
  const waiting = renewal();
  await world.blocked();
  await commit(store, owner, put("alice", 2, 3));
  await stranger.query("COMMIT");
  assert.equal((await waiting).status, "renewed");
});

test("nothing rests in a session: every statement may meet another one, and settings end with their statement", async () => {
  await using world = await open();
  const { store, database } = world;
  const owner = await own(store, "account");
  await commit(store, owner, put("alice", 0, 1));
  await store.renew({ incarnation: owner.incarnation, draining: false, knownRevision: 0 });
  await store.commit(batch(owner, note("alice", 7, [])));
  const sessions = await database.query(
    `SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'synod %' AND query LIKE '%${database.schema}%'`,
  );
  assert.ok(sessions.length >= 2, "the store's sessions are looked at");
  const left = await database.query(
    `SELECT l.* FROM pg_locks l JOIN pg_stat_activity a USING (pid)
     WHERE a.application_name LIKE 'synod %' AND a.query LIKE '%${database.schema}%'
     UNION ALL
     SELECT l.* FROM pg_locks l WHERE l.locktype = 'advisory'`,
  );
  assert.deepEqual(left, []);
  const states = await database.query(
    `SELECT DISTINCT state FROM pg_stat_activity
     WHERE application_name LIKE 'synod %' AND query LIKE '%${database.schema}%'`,
  );
  assert.deepEqual(states, [{ state: "idle" }]);
});
