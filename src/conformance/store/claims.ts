import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClaimRequest, ClaimResult, Store } from "../../ports/store.ts";
import { batch, claim, commit, type Fixture, join, type Owner, own, ownershipOf, put, renewalsOf } from "./fixture.ts";

/** Claims and releases: one owner at a time, and every claim a new epoch. */
export function claimTests(fixture: () => Fixture): void {
  epochTests(fixture);
  refusalTests(fixture);
  hostingTests(fixture);
  expiryTests(fixture);
  expiryEdgeTests(fixture);
  releaseTests(fixture);
}

/** Numbers and epochs of what a claim took. */
function taken(result: ClaimResult): [number, number][] {
  assert.ok(result.status === "claimed");
  return result.claimed.map(({ shard, epoch }) => [shard.number, epoch]);
}

async function claimed(store: Store, request: Partial<ClaimRequest> & Pick<ClaimRequest, "incarnation" | "shards">) {
  return taken(await store.claim({ expired: [], ...request }));
}

function epochTests(fixture: () => Fixture): void {
  test("a first claim has epoch 1 and tells what the shard holds", async () => {
    const { store, other, service } = fixture();
    const name = service();
    const { incarnation } = await join(store, name);
    const shard = { service: name, number: 0 };
    const result = await store.claim({ incarnation, shards: [shard], expired: [] });
    assert.ok(result.status === "claimed");
    assert.deepEqual(result.claimed, [{ shard, epoch: 1, stateVersion: 0, watermark: 0, floors: [], sessionNext: 1 }]);
    assert.deepEqual(result.view, await other.view());
    assert.deepEqual(await ownershipOf(other, shard), [incarnation, 1]);
  });

  test("a claim answers in ascending order and takes a shard that is named twice once", async () => {
    const { store, service } = fixture();
    const name = service();
    const { incarnation } = await join(store, name);
    const shards = [2, 0, 1, 2, 0].map((number) => ({ service: name, number }));
    assert.deepEqual(await claimed(store, { incarnation, shards }), [
      [0, 1],
      [1, 1],
      [2, 1],
    ]);
  });

  test("claiming a shard that one owns gives a new epoch, and the old one is fenced", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    await commit(store, owner, put("alice", 0, 1));
    const epoch = await claim(store, owner.incarnation, owner.shard);
    assert.equal(epoch, owner.epoch + 1);
    const late = await store.commit(batch(owner, put("alice", 1, 2)));
    assert.deepEqual(late, { status: "fenced", shards: [owner.shard] });
    await commit(store, { ...owner, epoch }, put("alice", 1, 2));
  });

  test("what nobody owns after a lease has ended is claimed with the next epoch", async () => {
    const { store, other, service } = fixture();
    const owner = await own(store, service());
    await store.endLease(owner);
    const heir = await own(other, owner.shard.service);
    assert.equal(heir.epoch, owner.epoch + 1);
  });
}

function refusalTests(fixture: () => Fixture): void {
  test("a shard that a live member owns is left out, and the free ones are taken", async () => {
    const { store, other, service } = fixture();
    const owner = await own(store, service(), { number: 1 });
    const { incarnation } = await join(other, owner.shard.service);
    const shards = [0, 1, 2].map((number) => ({ service: owner.shard.service, number }));
    for (const connection of [store, other]) {
      const numbers = (await claimed(connection, { incarnation, shards })).map(([number]) => number);
      assert.deepEqual(numbers, [0, 2]);
    }
    assert.deepEqual(await ownershipOf(store, owner.shard), [owner.incarnation, owner.epoch]);
  });

  test("a shard that holds a newer state version is left out for code that does not know it", async () => {
    const { store, service } = fixture();
    const name = service();
    const newer = await own(store, name, { stateVersion: 3 });
    const change = { ...put("alice", 0, 1), stateVersion: 3 };
    await commit(store, newer, change);
    await store.endLease(newer);
    const shards = [newer.shard, { service: name, number: 1 }];
    for (const [stateVersion, numbers] of [
      [2, [1]],
      [3, [0, 1]],
      [4, [0, 1]],
    ] as const) {
      const { node, incarnation } = await join(store, name, stateVersion);
      const result = await claimed(store, { incarnation, shards });
      assert.deepEqual(
        result.map(([number]) => number),
        numbers,
      );
      await store.endLease({ node, incarnation });
    }
  });
}

function hostingTests(fixture: () => Fixture): void {
  test("a claim tells the highest state version ever committed, whatever was committed later", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service(), { stateVersion: 5 });
    await commit(store, owner, { ...put("alice", 0, 1), stateVersion: 5 }, { ...put("bob", 0, 1), stateVersion: 2 });
    await commit(store, owner, { ...put("alice", 1, 2), stateVersion: 4 });
    const { incarnation } = owner;
    const result = await store.claim({ incarnation, shards: [owner.shard], expired: [] });
    assert.ok(result.status === "claimed");
    assert.equal(result.claimed[0]?.stateVersion, 5);
    const ownership = result.view.shards.find(({ shard }) => shard.service === owner.shard.service);
    assert.equal(ownership?.stateVersion, 5);
  });

  test("a member gets no shard of a service that it does not host, and none that does not exist", async () => {
    const { store, service } = fixture();
    const [mine, theirs] = [service(), service()];
    await join(store, theirs);
    const { incarnation } = await join(store, mine);
    const { shardsPerService } = store.identity;
    const shards = [
      { service: theirs, number: 0 },
      { service: service(), number: 0 },
      { service: mine, number: shardsPerService },
      { service: mine, number: -1 },
    ];
    const { revision } = await store.view();
    assert.deepEqual(await claimed(store, { incarnation, shards }), []);
    assert.equal((await store.view()).revision, revision);
  });
}

function expiryTests(fixture: () => Fixture): void {
  test("a lease whose counter stood still is ended and its shard claimed, in one step", async () => {
    const { store, other, service } = fixture();
    const owner = await own(store, service());
    const { node, incarnation } = await join(other, owner.shard.service);
    const renewals = (await renewalsOf(other, owner.incarnation))!;
    const expired = [{ incarnation: owner.incarnation, renewals }];
    assert.deepEqual(await claimed(other, { incarnation, shards: [owner.shard], expired }), [[0, owner.epoch + 1]]);
    const heir: Owner = { node, incarnation, shard: owner.shard, epoch: owner.epoch + 1 };
    await commit(other, heir, put("alice", 0, 1));
    assert.deepEqual(await store.commit(batch(owner, put("alice", 0, 1))), { status: "ended" });
    const renewed = await store.renew({ incarnation: owner.incarnation, draining: false, knownRevision: 0 });
    assert.deepEqual(renewed, { status: "ended" });
  });

  test("a lease that was renewed since its counter was seen is not ended", async () => {
    const { store, other, service } = fixture();
    const owner = await own(store, service());
    const { incarnation } = await join(other, owner.shard.service);
    const renewals = (await renewalsOf(other, owner.incarnation))!;
    await store.renew({ incarnation: owner.incarnation, draining: false, knownRevision: 0 });
    for (const seen of [renewals, renewals + 2]) {
      const expired = [{ incarnation: owner.incarnation, renewals: seen }];
      assert.deepEqual(await claimed(other, { incarnation, shards: [owner.shard], expired }), []);
    }
    assert.deepEqual(await ownershipOf(other, owner.shard), [owner.incarnation, owner.epoch]);
    await commit(store, owner, put("alice", 0, 1));
  });

  test("a commit that says it renewed the lease was counted, and one that was not taken was not", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    const before = (await renewalsOf(store, owner.incarnation))!;
    const result = await store.commit(batch(owner, put("alice", 0, 1)));
    assert.ok(result.status === "committed");
    const after = before + (result.renewed ? 1 : 0);
    assert.equal(await renewalsOf(store, owner.incarnation), after);
    await store.commit(batch(owner, put("alice", 7, 8)));
    await store.commit(batch({ ...owner, epoch: 7 }, put("alice", 1, 2)));
    assert.equal(await renewalsOf(store, owner.incarnation), after);
  });
}

function expiryEdgeTests(fixture: () => Fixture): void {
  test("leases are ended even when no shard is asked for, and unknown ones are passed over", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    const { incarnation } = await join(store, owner.shard.service);
    const expired = [
      { incarnation: owner.incarnation, renewals: (await renewalsOf(store, owner.incarnation))! },
      { incarnation: 1_000_000, renewals: 1 },
    ];
    assert.deepEqual(await claimed(store, { incarnation, shards: [], expired }), []);
    assert.equal(await renewalsOf(store, owner.incarnation), undefined);
    assert.deepEqual(await ownershipOf(store, owner.shard), [null, owner.epoch]);
  });

  test("a claimer cannot end its own lease", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    const { incarnation, shard } = owner;
    const expired = [{ incarnation, renewals: (await renewalsOf(store, incarnation))! }];
    assert.deepEqual(await claimed(store, { incarnation, shards: [shard], expired }), [[0, owner.epoch + 1]]);
    assert.notEqual(await renewalsOf(store, incarnation), undefined);
  });
}

function releaseTests(fixture: () => Fixture): void {
  test("a released shard is free for the next owner, and fenced for the last", async () => {
    const { store, other, service } = fixture();
    const owner = await own(store, service());
    await store.release({ incarnation: owner.incarnation, shards: [owner] });
    assert.deepEqual(await ownershipOf(other, owner.shard), [null, owner.epoch]);
    const late = await store.commit(batch(owner, put("alice", 0, 1)));
    assert.deepEqual(late, { status: "fenced", shards: [owner.shard] });
    const heir = await own(other, owner.shard.service);
    assert.equal(heir.epoch, owner.epoch + 1);
  });

  test("a release of another epoch, by another member or of nothing changes nothing", async () => {
    const { store, other, service } = fixture();
    const owner = await own(store, service());
    const { incarnation } = await join(other, owner.shard.service);
    const { shard, epoch } = owner;
    await store.release({ incarnation: owner.incarnation, shards: [{ shard, epoch: epoch - 1 }] });
    await store.release({ incarnation: owner.incarnation, shards: [{ shard, epoch: epoch + 1 }] });
    await other.release({ incarnation, shards: [owner] });
    await store.release({
      incarnation: owner.incarnation,
      shards: [{ shard: { service: service(), number: 0 }, epoch }],
    });
    assert.deepEqual(await ownershipOf(other, shard), [owner.incarnation, epoch]);
    await commit(store, owner, put("alice", 0, 1));
  });
}
