import assert from "node:assert/strict";
import { test } from "node:test";
import { SynodError } from "../../errors.ts";
import type { Store } from "../../ports/store.ts";
import { batch, commit, type Fixture, own, put, readRow, rowAt, type StoreConformanceOptions } from "./fixture.ts";

/** What a store is, and what opening and closing means for it. */
export function identityTests(options: StoreConformanceOptions, fixture: () => Fixture): void {
  openingTests(options, fixture);
  closingTests(fixture);
}

function openingTests({ create }: StoreConformanceOptions, fixture: () => Fixture): void {
  test("every connection tells the same identity", () => {
    const { store, other } = fixture();
    assert.equal(store.identity.system, "conformance");
    assert.ok(store.identity.cluster >= 1);
    assert.ok(store.identity.shardsPerService >= 1);
    assert.equal(store.identity.secret.length, 32);
    assert.deepEqual(other.identity, store.identity);
  });

  test("no two databases have one secret, and a connection's secret is its own copy", async () => {
    const { store, other } = fixture();
    const second = await create();
    const connection = await second.open();
    assert.notDeepEqual(connection.identity.secret, store.identity.secret);
    const before = store.identity.secret.slice();
    other.identity.secret.reverse();
    assert.deepEqual(store.identity.secret, before);
    other.identity.secret.reverse();
    await connection.close();
    await second.remove();
  });

  test("what was committed is there when every connection was closed and one is opened again", async () => {
    const database = await create();
    const first = await database.open();
    const owner = await own(first, "account");
    await commit(first, owner, put("alice", 0, 1));
    const { identity } = first;
    const view = await first.view();
    await first.close();

    const again = await database.open();
    assert.deepEqual(again.identity, identity);
    assert.deepEqual(await again.view(), view);
    assert.deepEqual(await readRow(again, owner.shard, "alice"), rowAt(1));
    await commit(again, owner, put("alice", 1, 2));
    await again.close();
    await database.remove();
  });
}

function closingTests(fixture: () => Fixture): void {
  test("a connection that is closed rejects everything and can be closed again; the others go on", async () => {
    const { store, other, database, service } = fixture();
    const owner = await own(store, service());
    const { incarnation, shard } = owner;
    const closed = await database.open();
    await closed.close();
    await closed.close();
    const attempts: (() => Promise<unknown>)[] = [
      () => closed.join({ node: "late", address: null, hosts: [] }),
      () => closed.renew({ incarnation, draining: false, knownRevision: 0 }),
      () => closed.claim({ incarnation, shards: [shard], expired: [] }),
      () => closed.release({ incarnation, shards: [owner] }),
      () => closed.endLease(owner),
      () => closed.view(),
      () => closed.read([{ kind: "entity", shard, key: "alice" }]),
      () => closed.commit(batch(owner, put("alice", 0, 1))),
    ];
    for (const attempt of attempts) await assert.rejects(attempt, isClosed);
    assert.equal(await readRow(other, shard, "alice"), null);
    await commit(store, owner, put("alice", 0, 1));
  });

  test("closing answers what was asked for before", async () => {
    const { other, database, service } = fixture();
    const connection = await database.open();
    const owner = await own(connection, service());
    const asked = [connection.commit(batch(owner, put("alice", 0, 1))), connection.read([]), connection.view()];
    await connection.close();
    const [committed] = await Promise.all(asked);
    assert.equal((committed as Awaited<ReturnType<Store["commit"]>>).status, "committed");
    assert.deepEqual(await readRow(other, owner.shard, "alice"), rowAt(1));
  });
}

function isClosed(error: unknown): boolean {
  return error instanceof SynodError && error.code === "failed_precondition" && error.outcome === "not-happened";
}
