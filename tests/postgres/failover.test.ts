/** A standby takes over from a primary that is killed: nothing acknowledged is lost, or everybody is told that something is. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readPostgresUrl } from "../../src/adapters/postgres/location.ts";
import { restorePostgres } from "../../src/adapters/postgres/restore.ts";
import { openPostgresSnapshot } from "../../src/adapters/postgres/snapshot.ts";
import { openPostgresStore } from "../../src/adapters/postgres/store.ts";
import { batch, commit, join, type Owner, own, put, readRow, rowAt } from "../../src/conformance/store/fixture.ts";
import { SynodError } from "../../src/errors.ts";
import type { SnapshotRow } from "../../src/ports/snapshot.ts";
import type { Store } from "../../src/ports/store.ts";
import { until } from "../host/running-system.ts";
import { ask, caughtUp, type Replicas, startReplicas } from "./replicas.ts";
import { type PostgresServer, startServer, system } from "./server.ts";

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
  await caughtUp(replicas.primary, standby!);
  await standby!.kill();
  await commit(store, owner, put("alice", 1, 2));
  await replicas.primary.kill();
  await standby!.start();
  await replicas.promote();
  return owner;
}

/** What the row says that is there, which nobody loads who compares its checksum. */
async function changeByHand(server: PostgresServer): Promise<void> {
  const text = `UPDATE synod_${system}.entities SET state = '{"count":666}' WHERE key = 'alice'`;
  await ask(server, `SET synchronous_commit = local; ${text}`);
}

test("a primary that was replaced and lives on is neither read from nor written to, as soon as another host has taken over", async () => {
  await using replicas = await startReplicas(1, "");
  const { primary, standbys } = replicas;
  await using store = closing(await openPostgresStore({ url: replicas.url, system }));
  const owner = await own(store, "account");
  // Every connection is there before the promotion: making one looks at all hosts.
  await Promise.all([commit(store, owner, put("alice", 0, 1)), commit(store, owner, put("bob", 0, 1))]);
  assert.deepEqual(await readRow(store, owner.shard, "alice"), rowAt(1));
  assert.equal((await renewal(store, owner.incarnation)).status, "renewed");
  await caughtUp(primary, standbys[0]!);
  const next = await replicas.promote();
  await changeByHand(primary);

  // The old one would renew the lease for ever.
  await until("the promotion is seen", async () => {
    const answer = await renewal(store, owner.incarnation).catch(() => undefined);
    return answer?.status === "ended";
  });
  assert.deepEqual(await readRow(store, owner.shard, "alice"), rowAt(1));
  assert.deepEqual(await store.commit(batch(owner, put("alice", 1, 2))), { status: "ended" });
  await assertKept(store, owner);
  const heir = await own(store, "account");
  await commit(store, heir, put("alice", 1, 2));
  assert.deepEqual(await ask(next, `SELECT version::integer FROM synod_${system}.entities WHERE key = 'alice'`), [
    { version: 2 },
  ]);
});

test("who comes anew, for a backup, a restore or as a node, goes to the newest primary, wherever it stands in the URL", async () => {
  await using replicas = await startReplicas(1, "");
  const { primary, standbys } = replicas;
  const last = replicas.url.replace(/@(.*),(.*)\//, "@$2,$1/");
  const store = await openPostgresStore({ url: last, system });
  const owner = await own(store, "account");
  await commit(store, owner, put("alice", 0, 1));
  await caughtUp(primary, standbys[0]!);
  const next = await replicas.promote();
  await using started = closing(await openPostgresStore({ url: replicas.url, system }));
  const other = await own(started, "ledger");
  assert.ok(other.incarnation > epochsOfTheNextTimeline, "a node that starts is at the new primary");
  await commit(started, other, put("bob", 0, 1));
  await store.close();

  const location = readPostgresUrl(replicas.url, system);
  const snapshot = await openPostgresSnapshot(location, system);
  const { facts } = snapshot;
  const rows: SnapshotRow[] = [];
  for await (const page of snapshot.rows()) rows.push(...page);
  // Or the restore would wait for its locks.
  await snapshot[Symbol.asyncDispose]();
  const keys = rows.flatMap(({ kind, row }) => (kind === "entity" ? [row.key] : []));
  assert.deepEqual(keys, ["alice", "bob"]);

  const options = { overwrite: true, jump: 1_000 };
  const { cluster } = await restorePostgres(location, facts, pagesOf([rows]), options);
  const text = `SELECT cluster::integer FROM synod_${system}.meta`;
  assert.deepEqual(await ask(next, text), [{ cluster }]);
  assert.deepEqual(await ask(primary, text), [{ cluster: facts.cluster }]);
});

async function* pagesOf(pages: readonly (readonly SnapshotRow[])[]): AsyncGenerator<readonly SnapshotRow[]> {
  yield* pages;
}

test("a former primary that was fenced by making it read-only keeps nobody from the new one", async () => {
  await using replicas = await startReplicas(1, "");
  const { primary, standbys } = replicas;
  await using store = closing(await openPostgresStore({ url: replicas.url, system }));
  const owner = await own(store, "account");
  await caughtUp(primary, standbys[0]!);
  await ask(primary, "ALTER SYSTEM SET default_transaction_read_only = on");
  await ask(primary, "SELECT pg_reload_conf()");
  await until("it is read-only", async () => {
    const [row] = await ask(primary, "SHOW default_transaction_read_only");
    return row?.default_transaction_read_only === "on";
  });
  // Before there is another one, there is something to be mended by hand.
  await assert.rejects(openPostgresStore({ url: replicas.url, system }), refused("failed_precondition", /read-only/));
  await replicas.promote();

  await until("the open store finds the new primary", async () => {
    const answer = await renewal(store, owner.incarnation).catch(() => undefined);
    return answer?.status === "ended";
  });
  await using started = closing(await openPostgresStore({ url: replicas.url, system }));
  const heir = await own(started, "ledger");
  assert.ok(heir.incarnation > epochsOfTheNextTimeline, "it is at the new primary");
});

test("a host of another cluster is passed by, however often it was promoted, and refused by who comes anew", async () => {
  await using server = await startServer();
  await using foreign = await startReplicas(1, "");
  const { host } = new URL(foreign.standbys[0]!.url);
  await foreign.promote();
  await foreign.standbys[0]!.kill();
  const url = `${server.url.replace("@", `@${host},`)}/postgres`;
  const warnings: string[] = [];
  const warn = (message: string): void => void warnings.push(message);
  const log = { debug() {}, info() {}, warn, error() {} };
  await using store = closing(await openPostgresStore({ url, system, log }));
  const owner = await own(store, "account");
  await foreign.standbys[0]!.start();
  const words = new RegExp(`^${host} belongs to another cluster than .* is passed by`);
  await until("it is seen", () => warnings.some((warning) => words.test(warning)));
  assert.equal((await renewal(store, owner.incarnation)).status, "renewed");
  await commit(store, owner, put("alice", 0, 1));
  await assert.rejects(
    openPostgresStore({ url, system }),
    refused("failed_precondition", /hosts .* different clusters/),
  );
});

test("who sees only a primary that its synchronous standbys have left renews no lease there, and is acknowledged nothing", async () => {
  await using replicas = await startReplicas(1, "ANY 1 (*)");
  const { primary } = replicas;
  await using blind = closing(await openPostgresStore({ url: `${primary.url}/postgres`, system }));
  const owner = await own(blind, "account");
  await replicas.promote();
  const unknown = { code: "unavailable", outcome: "unknown" };
  await assert.rejects(renewal(blind, owner.incarnation), unknown);
  const late = assert.rejects(blind.commit(batch(owner, put("alice", 0, 1))), unknown);
  await until("the commit waits for a standby, and somebody ends the wait", async () => {
    const waiting = "application_name = 'synod commits' AND wait_event = 'SyncRep'";
    return (await ask(primary, `SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE ${waiting}`)).length > 0;
  });
  await late;
});

function closing(store: Store): Store & AsyncDisposable {
  return Object.assign(store, { [Symbol.asyncDispose]: () => store.close() });
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
