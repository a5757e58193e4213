import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Member, ShardOwnership, View } from "../../ports/store.ts";
import { placeShard, shardsToClaim, shardsToHandOff, shardsToReclaim } from "./placement.ts";

const services = ["account", "transfer"];
const shardsPerService = 64;

function member(incarnation: number, rest: Partial<Member> = {}): Member {
  const hosts = services.map((service) => ({ service, stateVersion: 1 }));
  const live = { address: null, hosts, draining: false, renewals: 1 };
  return { node: `node-${incarnation}`, incarnation, ...live, ...rest };
}

function members(length: number): Member[] {
  return Array.from({ length }, (_, index) => member(index + 1));
}

const unowned: readonly ShardOwnership[] = services.flatMap((service) =>
  Array.from({ length: shardsPerService }, (_, number) => {
    return { shard: { service, number }, owner: null, epoch: 0, stateVersion: 1 };
  }),
);

function view(live: readonly Member[], shards: readonly ShardOwnership[]): View {
  return { revision: 1, members: live, shards };
}

function owners(live: readonly Member[]): (number | undefined)[] {
  return unowned.map((ownership) => placeShard(ownership, live)?.incarnation);
}

const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 12 }), { minLength: 2, maxLength: 9 });
const named = names.map((nodes) => nodes.map((node, index) => member(index + 1, { node })));

test("when a member joins or leaves, exactly its own shards move", () => {
  fc.assert(
    fc.property(named, (all) => {
      const [newcomer, ...others] = all;
      const without = owners(others);
      const together = owners(all);
      for (const [index, owner] of together.entries()) {
        assert.ok(owner === without[index] || owner === newcomer!.incarnation, "a shard moved between the others");
      }
    }),
    { numRuns: 300 },
  );
});

test("a member that drains gives its shards to the others, and none moves between them", () => {
  const all = members(4);
  const before = owners(all);
  const after = owners(all.map((one) => (one.incarnation === 2 ? { ...one, draining: true } : one)));
  assert.ok(before.includes(2));
  for (const [index, owner] of after.entries()) {
    assert.notEqual(owner, 2);
    if (before[index] !== 2) assert.equal(owner, before[index]);
  }
});

test("everybody who sees the same view decides the same, in whatever order it lists the members", () => {
  fc.assert(
    fc.property(
      named.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
      ([all, shuffled]) => assert.deepEqual(owners(shuffled), owners(all)),
    ),
    { numRuns: 100 },
  );
});

test("shards spread evenly: nobody has more than twice its share, nor less than half of it", () => {
  for (const length of [2, 3, 4, 5, 8]) {
    const owned = owners(members(length));
    const share = owned.length / length;
    for (const { incarnation } of members(length)) {
      const count = owned.filter((owner) => owner === incarnation).length;
      assert.ok(count >= share / 2 && count <= share * 2, `node-${incarnation} of ${length} has ${count}`);
    }
  }
});

test("over many systems each of three nodes gets a third", () => {
  const counts = [0, 0, 0];
  for (let system = 0; system < 200; system++) {
    const live = [1, 2, 3].map((incarnation) => member(incarnation, { node: `system-${system}-node-${incarnation}` }));
    for (const owner of owners(live)) counts[owner! - 1]! += 1;
  }
  const mean = (200 * unowned.length) / 3;
  for (const count of counts) assert.ok(Math.abs(count / mean - 1) < 0.05, String(counts));
});

test("a shard is placed only on who hosts its service, knows its state version and, if anybody, does not drain", () => {
  const newer: ShardOwnership = { ...unowned[0]!, stateVersion: 2 };
  const hosts = (service: string, stateVersion: number): Partial<Member> => ({ hosts: [{ service, stateVersion }] });
  const old = member(1, hosts("account", 1));
  const other = member(2, hosts("transfer", 9));
  const draining = member(3, { ...hosts("account", 2), draining: true });
  assert.equal(placeShard(newer, [old, other]), undefined);
  assert.equal(placeShard(newer, [old, other, draining])?.incarnation, 3, "nobody stays who may");
  assert.equal(placeShard(newer, []), undefined);
  assert.equal(placeShard(newer, [old, other, draining, member(4, hosts("account", 2))])?.incarnation, 4);
  assert.equal(placeShard(newer, [old, member(5, hosts("account", 3))])?.incarnation, 5);
});

test("of two members under one node name the later one counts", () => {
  const [first, second] = [member(1, { node: "node" }), member(2, { node: "node" })];
  assert.ok(owners([first, second]).every((owner) => owner === 2));
  assert.ok(owners([second, first]).every((owner) => owner === 2));
});

test("every shard without a living owner is claimed by exactly one member, and no other shard by anyone", () => {
  const ownerOf = fc.constantFrom(null, 1, 2, 3, 99);
  const drawn = fc.array(ownerOf, { minLength: unowned.length, maxLength: unowned.length });
  fc.assert(
    fc.property(drawn, fc.subarray([2, 3]), (ownerships, gone) => {
      const expired = new Set(gone);
      const shards = unowned.map((ownership, index) => ({ ...ownership, owner: ownerships[index]! }));
      const live = [1, 2, 3].filter((incarnation) => !expired.has(incarnation));
      const claims = live.flatMap((incarnation) => shardsToClaim(view(members(3), shards), incarnation, expired));
      const free = shards.filter(({ owner }) => owner === null || !live.includes(owner)).map(({ shard }) => shard);
      const name = ({ service, number }: ShardOwnership["shard"]): string => `${service}/${number}`;
      assert.deepEqual(claims.map(name).toSorted(), free.map(name).toSorted());
    }),
    { numRuns: 200 },
  );
});

test("a member whose lease has run out claims nothing, one that drains only what nobody claims who stays", () => {
  const draining = member(1, { draining: true });
  assert.deepEqual(shardsToClaim(view([draining, member(2)], unowned), 1, new Set()), []);
  assert.equal(shardsToClaim(view([draining], unowned), 1, new Set()).length, unowned.length);
  assert.deepEqual(shardsToClaim(view(members(2), unowned), 2, new Set([2])), []);
  assert.equal(shardsToClaim(view(members(1), unowned), 1, new Set()).length, unowned.length);
});

test("what a member dropped it claims again, unless it drains and another one stays", () => {
  const owned = unowned.map((ownership) => ({ ...ownership, owner: 1 }));
  const reclaimed = (...others: Member[]): number =>
    shardsToReclaim(view(others, owned), 1, ({ number }) => number > 0).length;
  const draining = member(1, { draining: true });
  assert.equal(reclaimed(member(1), member(2)), services.length);
  assert.equal(reclaimed(draining, member(2)), 0);
  assert.equal(reclaimed(draining, member(2, { draining: true })), services.length);
});

test("nothing moves to a member that drains", () => {
  const owned = unowned.map((ownership) => ({ ...ownership, owner: 1 }));
  const reachable = { address: "somewhere", draining: true };
  const leaving = [1, 2, 3].map((incarnation) => member(incarnation, reachable));
  assert.deepEqual(shardsToHandOff(view(leaving, owned), 1), []);
  const [first, ...others] = leaving;
  const moves = shardsToHandOff(view([first!, member(4, { address: "here" }), ...others], owned), 1);
  assert.ok(moves.length === owned.length && moves.every(({ to }) => to.incarnation === 4));
});
