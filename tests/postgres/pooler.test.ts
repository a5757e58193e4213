/** A store behind a pooler that gives every transaction another session of the server. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openPostgresStore } from "../../src/adapters/postgres/store.ts";
import { batch, commit, type Owner, own, put, readRow, rowAt } from "../../src/conformance/store/fixture.ts";
import type { Store } from "../../src/ports/store.ts";
import { until } from "../host/running-system.ts";
import { obstacle, poolSessionsMax, startPooler } from "./pooler.ts";
import { ask, caughtUp, startReplicas } from "./replicas.ts";
import { query, startServer, system } from "./server.ts";

const storesLength = 3;
const commitsLength = 20;

/** One commit after the other, with a heartbeat and a read beside each. */
async function work(store: Store, owner: Owner): Promise<void> {
  const { incarnation, shard } = owner;
  for (let version = 0; version < commitsLength; version++) {
    const [renewed, , row] = await Promise.all([
      store.renew({ incarnation, draining: false, knownRevision: 0 }),
      commit(store, owner, put("alice", version, version + 1)),
      store.read([{ kind: "entity", shard, key: "bob" }]),
    ]);
    assert.equal(renewed.status, "renewed");
    assert.deepEqual(row, [{ kind: "entity", row: null }]);
  }
}

const skip = obstacle() ?? false;

test("behind PgBouncer in transaction mode stores work over sessions that they share, whatever others left in them", {
  skip,
}, async () => {
  await using server = await startServer();
  await using pooler = await startPooler(server);
  const sessions = async () =>
    await query(
      `${server.url}/postgres`,
      "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
    );
  const url = `${pooler.url}/postgres`;
  // What somebody has set in a session, the next one has who gets it.
  await Promise.all(
    [1, 2, 3, 4].map(() =>
      query(url, "SELECT pg_sleep(0.05); SET search_path = pg_catalog; SET enable_indexscan = off"),
    ),
  );

  const stores = await Promise.all(Array.from({ length: storesLength }, () => openPostgresStore({ url, system })));
  const owners: Owner[] = [];
  for (const [index, store] of stores.entries()) owners.push(await own(store, `service-${index}`));
  await Promise.all(stores.map((store, index) => work(store, owners[index]!)));
  for (const [index, store] of stores.entries()) {
    const other = stores[(index + 1) % storesLength]!;
    assert.deepEqual(await readRow(other, owners[index]!.shard, "alice"), rowAt(commitsLength));
    assert.equal((await store.view()).members.length, storesLength);
  }
  const { length } = await sessions();
  assert.ok(length > 0 && length <= poolSessionsMax, `${4 * storesLength} connections had ${length} sessions`);
  for (const store of stores) await store.close();
});

test("a pooler that leads back to a primary that was replaced is not followed: nothing is read or written there", {
  skip,
}, async () => {
  await using replicas = await startReplicas(1, "");
  const { primary, standbys } = replicas;
  await using pooler = await startPooler(primary);
  const store = await openPostgresStore({ url: `${pooler.url}/postgres`, system });
  const former = await own(store, "account");
  await commit(store, former, put("alice", 0, 1));
  const { incarnation, node, shard } = former;
  const renew = () => store.renew({ incarnation, draining: false, knownRevision: 0 });
  await caughtUp(primary, standbys[0]!);
  const reads = () =>
    readRow(store, shard, "alice").then(
      () => true,
      () => false,
    );
  pooler.leadTo(standbys[0]!);
  await until("a standby has been asked, and refused although it has the row", async () => !(await reads()));
  pooler.leadTo(primary);
  await until("the primary is asked again", reads);
  await replicas.promote();
  pooler.leadTo(standbys[0]!);
  await until("the promotion is seen", async () => (await renew().catch(() => undefined))?.status === "ended");
  await store.endLease({ node, incarnation });
  const heir = await own(store, "account");
  await commit(store, heir, put("alice", 1, 2));
  assert.deepEqual(await readRow(store, shard, "alice"), rowAt(2));

  pooler.leadTo(primary);
  await until("the former primary has been asked", async () => {
    const row = await readRow(store, shard, "alice").catch(() => "refused");
    if (row !== "refused") assert.deepEqual(row, rowAt(2));
    return row === "refused";
  });
  const late = await store.commit(batch(former, put("alice", 1, 3)));
  assert.equal(late.status, "failed", "the lease of then is still good there");
  await assert.rejects(renew());
  assert.deepEqual(await ask(primary, `SELECT version::integer FROM synod_${system}.entities`), [{ version: 1 }]);
  await store.close();
});
