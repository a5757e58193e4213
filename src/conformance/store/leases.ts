import assert from "node:assert/strict";
import { test } from "node:test";
import { batch, commit, type Fixture, join, own, ownershipOf, put, renewalsOf } from "./fixture.ts";

/** Joining, renewing and ending: a lease that has ended never comes back. */
export function leaseTests(fixture: () => Fixture): void {
  joiningTests(fixture);
  joiningAgainTests(fixture);
  statelessTests(fixture);
  renewingTests(fixture);
  revisionTests(fixture);
  endingTests(fixture);
}

function joiningTests(fixture: () => Fixture): void {
  test("incarnations grow over all connections and are never used twice", async () => {
    const { store, other, service } = fixture();
    const name = service();
    const first = await join(store, name);
    const second = await join(other, name);
    await store.endLease(second);
    const third = await join(store, name);
    assert.ok(first.incarnation < second.incarnation && second.incarnation < third.incarnation);
  });

  test("a member that joins is in the view of everybody, and its services have their shards", async () => {
    const { store, other, service } = fixture();
    const hosts = [
      { service: service(), stateVersion: 3 },
      { service: service(), stateVersion: 1 },
    ];
    const { incarnation, view } = await store.join({ node: "newcomer", address: "127.0.0.1:7000", hosts });
    assert.deepEqual(await other.view(), view);
    assert.deepEqual(
      view.members.find((member) => member.incarnation === incarnation),
      { node: "newcomer", incarnation, address: "127.0.0.1:7000", hosts, draining: false, renewals: 1 },
    );
    const numbers = Array.from({ length: store.identity.shardsPerService }, (_, number) => number);
    for (const host of hosts) {
      const shards = view.shards.filter(({ shard }) => shard.service === host.service);
      assert.deepEqual(
        shards,
        numbers.map((number) => ({ shard: { service: host.service, number }, owner: null, epoch: 0, stateVersion: 0 })),
      );
    }
  });

  test("the view stands in order: members by incarnation, shards by service and number", async () => {
    const { store, service } = fixture();
    // By UTF-16 units U+1F600 (a surrogate pair) comes before U+FF5E; by code points after it.
    const names = [service(), `${service()}\u{1F600}`, `${service()}\uFF5E`, "Z", "a"];
    for (const name of names) await join(store, name);
    const { members, shards } = await store.view();
    const incarnations = members.map(({ incarnation }) => incarnation);
    assert.deepEqual(
      incarnations,
      incarnations.toSorted((a, b) => a - b),
    );
    const services = [...new Set(shards.map(({ shard }) => shard.service))];
    assert.deepEqual(services, services.toSorted());
    for (const name of services) {
      const numbers = shards.filter(({ shard }) => shard.service === name).map(({ shard }) => shard.number);
      assert.deepEqual(
        numbers,
        numbers.toSorted((a, b) => a - b),
      );
    }
  });
}

function joiningAgainTests(fixture: () => Fixture): void {
  test("joining again leaves the shards as they are, and two processes of one name are two members", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    const hosts = [{ service: owner.shard.service, stateVersion: 1 }];
    const { incarnation, view } = await store.join({ node: owner.node, address: null, hosts });
    assert.deepEqual(await ownershipOf(store, owner.shard), [owner.incarnation, owner.epoch]);
    const named = view.members.filter(({ node }) => node === owner.node);
    assert.deepEqual(
      named.map((member) => member.incarnation),
      [owner.incarnation, incarnation],
    );
  });
}

function statelessTests(fixture: () => Fixture): void {
  test("a stateless service has no shards, stands in the view all the same, and cannot be claimed", async () => {
    const { store, other, service } = fixture();
    const [stateless, keyed] = [service(), service()];
    const hosts = [
      { service: stateless, stateVersion: null },
      { service: keyed, stateVersion: 1 },
    ];
    const { incarnation, view } = await store.join({ node: "front", address: null, hosts });
    assert.deepEqual(await other.view(), view);
    assert.deepEqual(view.members.find((member) => member.incarnation === incarnation)?.hosts, hosts);
    const services = new Set(view.shards.map(({ shard }) => shard.service));
    assert.ok(services.has(keyed) && !services.has(stateless));
    const shards = [stateless, keyed].map((name) => ({ service: name, number: 0 }));
    const result = await store.claim({ incarnation, shards, expired: [] });
    assert.ok(result.status === "claimed");
    assert.deepEqual(
      result.claimed.map(({ shard }) => shard),
      [{ service: keyed, number: 0 }],
    );
  });

  test("a member for which a service is stateless gets none of the shards that others made for it", async () => {
    const { store, other, service } = fixture();
    const name = service();
    await join(store, name);
    const { incarnation } = await other.join({
      node: "front",
      address: null,
      hosts: [{ service: name, stateVersion: null }],
    });
    const result = await other.claim({ incarnation, shards: [{ service: name, number: 0 }], expired: [] });
    assert.ok(result.status === "claimed");
    assert.deepEqual(result.claimed, []);
  });
}

function renewingTests(fixture: () => Fixture): void {
  test("a renewal is counted, and tells the counters of all live members", async () => {
    const { store, other, service } = fixture();
    const name = service();
    const [first, second] = [await join(store, name), await join(other, name)];
    const { revision } = await store.view();
    await other.renew({ incarnation: second.incarnation, draining: false, knownRevision: revision });
    const result = await store.renew({ incarnation: first.incarnation, draining: false, knownRevision: revision });
    assert.ok(result.status === "renewed");
    assert.equal(result.revision, revision);
    assert.equal(result.view, undefined);
    const { members } = await store.view();
    assert.deepEqual(
      [...result.renewals],
      members.map((member) => [member.incarnation, member.renewals]),
    );
    assert.equal(result.renewals.get(first.incarnation), 2);
    assert.equal(result.renewals.get(second.incarnation), 2);
  });

  test("a renewal brings the view exactly when the caller knows another revision", async () => {
    const { store, other, service } = fixture();
    const { incarnation } = await join(store, service());
    const before = await store.view();
    await join(other, service());
    const result = await store.renew({ incarnation, draining: false, knownRevision: before.revision });
    assert.ok(result.status === "renewed");
    assert.ok(result.revision > before.revision);
    assert.deepEqual(result.view, await other.view());
  });

  test("draining is seen by everybody, and can be taken back", async () => {
    const { store, other, service } = fixture();
    const { incarnation } = await join(store, service());
    for (const draining of [true, true, false]) {
      await store.renew({ incarnation, draining, knownRevision: 0 });
      const { members } = await other.view();
      assert.equal(members.find((member) => member.incarnation === incarnation)?.draining, draining);
    }
  });
}

function revisionTests(fixture: () => Fixture): void {
  test("the revision grows with every change of members and owners, and not with renewals and commits", async () => {
    const { store, service } = fixture();
    const revision = async () => (await store.view()).revision;
    let known = await revision();
    const grows = async (change: Promise<unknown>, by: boolean) => {
      await change;
      const now = await revision();
      assert.equal(now > known, by);
      known = now;
    };
    const shard = { service: service(), number: 0 };
    const member = store.join({ node: "one", address: null, hosts: [{ service: shard.service, stateVersion: 1 }] });
    await grows(member, true);
    const { incarnation } = await member;
    const owner = { node: "one", incarnation, shard, epoch: 1 };
    await grows(store.claim({ incarnation, shards: [shard], expired: [] }), true);
    await grows(store.commit(batch(owner, put("alice", 0, 1))), true); // a state version, where there was none
    await grows(store.commit(batch(owner, put("alice", 1, 2))), false);
    await grows(store.renew({ incarnation, draining: false, knownRevision: 0 }), false);
    await grows(store.renew({ incarnation, draining: true, knownRevision: 0 }), true);
    await grows(store.release({ incarnation, shards: [{ shard, epoch: 7 }] }), false);
    await grows(store.release({ incarnation, shards: [owner] }), true);
    await grows(store.endLease(owner), true);
    await grows(store.endLease(owner), false);
  });
}

function endingTests(fixture: () => Fixture): void {
  test("a lease that has ended is never renewed, whoever joins under its name", async () => {
    const { store, other, service } = fixture();
    const owner = await own(store, service());
    const { node, incarnation, shard } = owner;
    assert.deepEqual(await other.endLease({ node, incarnation }), { ended: true });
    await other.join({ node, address: null, hosts: [{ service: shard.service, stateVersion: 1 }] });
    for (const connection of [store, other]) {
      const renewed = await connection.renew({ incarnation, draining: false, knownRevision: 0 });
      assert.deepEqual(renewed, { status: "ended" });
      const claimed = await connection.claim({ incarnation, shards: [shard], expired: [] });
      assert.deepEqual(claimed, { status: "ended" });
      assert.deepEqual(await connection.commit(batch(owner, put("alice", 0, 1))), { status: "ended" });
    }
    assert.equal(await renewalsOf(store, incarnation), undefined);
  });

  test("ending a lease frees its shards and keeps their epochs", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    await commit(store, owner, put("alice", 0, 1));
    await store.endLease(owner);
    assert.deepEqual(await ownershipOf(store, owner.shard), [null, owner.epoch]);
  });

  test("a lease is ended only under both its name and its incarnation, and only once", async () => {
    const { store, service } = fixture();
    const { node, incarnation } = await join(store, service());
    assert.deepEqual(await store.endLease({ node: `${node}x`, incarnation }), { ended: false });
    assert.deepEqual(await store.endLease({ node, incarnation: incarnation + 1_000 }), { ended: false });
    assert.equal(await renewalsOf(store, incarnation), 1);
    assert.deepEqual(await store.endLease({ node, incarnation }), { ended: true });
    assert.deepEqual(await store.endLease({ node, incarnation }), { ended: false });
  });
}
