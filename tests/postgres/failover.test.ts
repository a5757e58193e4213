/** A synchronous standby takes over from a primary that is killed: nothing acknowledged is lost, and nobody keeps a lease. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openPostgresStore } from "../../src/adapters/postgres/store.ts";
import { batch, commit, own, put, readRow, rowAt } from "../../src/conformance/store/fixture.ts";
import { query } from "./databases.ts";
import { startServer, system } from "./server.ts";

const followMaxMs = 10_000;
/** Epochs after a promotion are above all that the old primary can have given out. */
const epochsOfTheNextTimeline = 2 ** 32;

test("after a promotion every lease has ended, epochs are far above, and what was acknowledged is there", async () => {
  await using primary = await startServer();
  await using standby = await primary.follow();
  const ask = (text: string) => query(`${primary.url}/postgres`, text);
  await ask("ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (follower)'");
  await ask("SELECT pg_reload_conf()");
  const deadline = performance.now() + followMaxMs;
  while ((await ask("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'quorum'")).length === 0) {
    assert.ok(performance.now() < deadline, "the standby follows");
  }

  const url = `postgres://synod@127.0.0.1:${primary.port},127.0.0.1:${standby.port}/postgres`;
  const store = await openPostgresStore({ url, system });
  const owner = await own(store, "account");
  await commit(store, owner, put("alice", 0, 1));
  await primary.kill();
  const between = await store.commit(batch(owner, put("alice", 1, 2))).catch((error: unknown) => error);
  assert.ok(!(between as { status?: string }).status?.startsWith("committed"), "no standby takes a commit");
  // Without waiting, because a query that waits can itself hold up what the standby has still to apply.
  await query(`${standby.url}/postgres`, "SELECT pg_promote(false)");
  while ((await query(`${standby.url}/postgres`, "SELECT 1 WHERE pg_is_in_recovery()")).length > 0) {
    assert.ok(performance.now() < deadline + followMaxMs, "the standby is promoted");
  }

  const { incarnation } = owner;
  assert.deepEqual(await store.renew({ incarnation, draining: false, knownRevision: 0 }), { status: "ended" });
  assert.deepEqual(await store.commit(batch(owner, put("alice", 1, 2))), { status: "ended" });
  assert.deepEqual(await readRow(store, owner.shard, "alice"), rowAt(1));
  const next = await own(store, "account");
  assert.ok(next.epoch > epochsOfTheNextTimeline && next.incarnation > epochsOfTheNextTimeline);
  await commit(store, next, put("alice", 1, 2));
  await store.close();
});
