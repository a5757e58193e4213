/** A standby takes over from a primary that is killed: nothing acknowledged is lost, or everybody is told that something is. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openPostgresStore } from "../../src/adapters/postgres/store.ts";
import { batch, commit, join, type Owner, own, put, readRow, rowAt } from "../../src/conformance/store/fixture.ts";
import { SynodError } from "../../src/errors.ts";
import type { Store } from "../../src/ports/store.ts";
import { until } from "../host/running-system.ts";
import { ask, type Replicas, startReplicas } from "./replicas.ts";
import { system } from "./server.ts";

/** Epochs after a promotion are above all that the old primary can have given out. */
const epochsOfTheNextTimeline = 2 ** 32;

const renewal = (store: Store, incarnation: number) => store.renew({ incarnation, draining: false, knownRevision: 0 });

function refused(code: string, words: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof SynodError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, words);
    return true;
  };
}

test("after a promotion every lease has ended, epochs are far above, and what was acknowledged is there", async () => {
  await using replicas = await startReplicas(2, "ANY 1 (*)");
  const store = await openPostgresStore({ url: replicas.url, system });
  const owner = await own(store, "account");
  await commit(store, owner, put("alice", 0, 1));
  await replicas.primary.kill();
  const between = await store.commit(batch(owner, put("alice", 1, 2))).catch((error: unknown) => error);
  assert.ok(!(between as { status?: string }).status?.startsWith("committed"), "no standby takes a commit");
  const next = await replicas.promote();

  const { incarnation } = owner;
  assert.deepEqual(await renewal(store, incarnation), { status: "ended" });
  assert.deepEqual(await store.commit(batch(owner, put("alice", 1, 2))), { status: "ended" });
  assert.deepEqual(await readRow(store, owner.shard, "alice"), rowAt(1));
  await assertKept(store, owner);
  const heir = await own(store, "account");
  assert.ok(heir.epoch > epochsOfTheNextTimeline && heir.incarnation > epochsOfTheNextTimeline);
  await commit(store, heir, put("alice", 1, 2));

  // The old primary is started again, and knows nothing of what has happened.
  await replicas.primary.start();
  await next.kill();
  const found = await until("the new primary is missed", async () => {
    const error: unknown = await renewal(store, heir.incarnation).catch((reason: unknown) => reason);
    return error instanceof SynodError && error.message.includes("cannot be reached") && error;
  });
  assert.match(found.message, /a former primary \(timeline 1, and 2 was seen\)/);
  await store.close();
});

/**
 * Nobody takes over a shard of before at once: its holder may answer queries until its lease has run out, or until it says
 * that it has heard of the end.
 */
async function assertKept(store: Store, { node, incarnation, shard }: Owner): Promise<void> {
  const other = await join(store, shard.service);
  const early = await store.claim({ incarnation: other.incarnation, shards: [shard], expired: [] });
  assert.deepEqual(early.status === "claimed" && early.claimed, []);
  assert.deepEqual(await store.endLease({ node: "somebody else", incarnation }), { ended: false });
  assert.deepEqual(await store.endLease({ node, incarnation }), { ended: true });
}

/** An asynchronous standby that was away for one commit is promoted; resolves with the lease from before. */
async function loseOneCommit(replicas: Replicas, store: Store) {
  const owner = await own(store, "account");
  await commit(store, owner, put("alice", 0, 1));
  const [standby] = replicas.standbys;
  const [at] = await ask(replicas.primary, "SELECT pg_current_wal_flush_lsn()::text AS lsn");
  await until("the standby has the first commit", async () => {
    return (await ask(standby!, `SELECT 1 WHERE pg_last_wal_replay_lsn() >= '${at?.lsn}'`)).length > 0;
  });
  await standby!.kill();
  await commit(store, owner, put("alice", 1, 2));
  await replicas.primary.kill();
  await standby!.start();
  await replicas.promote();
  return owner;
}

test("a server that was promoted without a commit that was acknowledged is found out, and takes no writes until that is accepted", async () => {
  await using replicas = await startReplicas(1, "");
  const store = await openPostgresStore({ url: replicas.url, system });
  const other = await openPostgresStore({ url: replicas.url, system });
  const stranger = await own(other, "ledger");
  const owner = await loseOneCommit(replicas, store);
  const lost = refused("data_loss", /has lost commits that were acknowledged.*accept_loss/);

  // Who was acknowledged nothing learns of it from the one who was.
  assert.deepEqual(await renewal(other, stranger.incarnation), { status: "ended" });
  await assert.rejects(renewal(store, owner.incarnation), lost);
  await assert.rejects(own(store, "account"), lost);
  await assert.rejects(own(other, "account"), lost);
  await assert.rejects(openPostgresStore({ url: replicas.url, system }), lost);

  const [standby] = replicas.standbys;
  await ask(standby!, `SET search_path = synod_${system}; SELECT accept_loss()`);
  await assertKept(store, owner);
  assert.deepEqual(await renewal(store, owner.incarnation), { status: "ended" });
  const heir = await own(store, "account");
  assert.deepEqual(await readRow(store, heir.shard, "alice"), rowAt(1));
  await commit(store, heir, put("alice", 1, 2));
  await using reopened = {
    store: await openPostgresStore({ url: replicas.url, system }),
    [Symbol.asyncDispose]: () => reopened.store.close(),
  };
  assert.equal(reopened.store.identity.cluster, store.identity.cluster + 1);
  await store.close();
  await other.close();
});
