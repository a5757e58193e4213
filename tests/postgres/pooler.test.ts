/** A store behind a pooler that gives every transaction another session of the server. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openPostgresStore } from "../../src/adapters/postgres/store.ts";
import { commit, type Owner, own, put, readRow, rowAt } from "../../src/conformance/store/fixture.ts";
import type { Store } from "../../src/ports/store.ts";
import { obstacle, poolSessionsMax, startPooler } from "./pooler.ts";
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
