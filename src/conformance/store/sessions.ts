import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClaimedShard, SessionFloor, Store } from "../../ports/store.ts";
import { derivedRecordId } from "../../values/ids.ts";
import {
  batch,
  callOf,
  claim,
  commit,
  type Fixture,
  left,
  note,
  type Owner,
  own,
  put,
  raising,
  readRow,
  record,
  rowAt,
  trim,
} from "./fixture.ts";

/** Sessions: a floor and the removal of what it settles are one, and the floor outlives its shard's owner. */
export function sessionTests(fixture: () => Fixture): void {
  raisingTests(fixture);
  togetherTests(fixture);
  claimingTests(fixture);
  forgettingTests(fixture);
  formTests(fixture);
}

/** Names of which one is the beginning of another, and ids that stand among those of a session. */
const session = "node 1";
const sessions = [session, "node 11", "node ", "node 1$", "\u{1F600}"];
const strangers = [record("node 1"), record("node 1#"), record("node 1#00000000002x"), record("zebra")];

/** Calls 0 to 9 of every session, recorded with an entity, beside records of other callers. */
async function settled(fixture: Fixture) {
  const owner = await own(fixture.store, fixture.service());
  const calls = sessions.flatMap((name) => Array.from({ length: 10 }, (_, number) => callOf(name, number)));
  const records = [...calls, ...strangers];
  await commit(fixture.store, owner, put("alice", 0, 1, records));
  const without = (name: string, numbers: readonly number[]): string[] => {
    const gone = new Set(numbers.map((number) => callOf(name, number).id));
    return records.filter(({ id }) => !gone.has(id)).map(({ id }) => id);
  };
  return { owner, records, without };
}

async function raise(store: Store, owner: Owner, ...floors: SessionFloor[]): Promise<void> {
  const result = await store.commit(raising(owner, floors));
  assert.equal(result.status, "committed", JSON.stringify(result));
}

/** What the next claim of the owner's shard tells. */
async function claimedAgain(store: Store, { incarnation, shard }: Owner): Promise<ClaimedShard> {
  const result = await store.claim({ incarnation, shards: [shard], expired: [] });
  assert.ok(result.status === "claimed");
  assert.equal(result.claimed.length, 1);
  return result.claimed[0]!;
}

/** Floors are told in no particular order. */
function inOrder(floors: readonly SessionFloor[]): SessionFloor[] {
  return floors.toSorted((a, b) => (a.session < b.session ? -1 : 1));
}

function raisingTests(fixture: () => Fixture): void {
  test("a floor removes the settled records of its session, and keeps the open ones and everybody else's", async () => {
    const { store, other } = fixture();
    const { owner, records, without } = await settled(fixture());
    await raise(store, owner, { session, floor: 0, open: [] });
    assert.deepEqual(await left(other, owner, records), without(session, []));
    await raise(store, owner, { session, floor: 5, open: [0, 3] });
    assert.deepEqual(await left(other, owner, records), without(session, [1, 2, 4]));
    await raise(store, owner, { session, floor: 5, open: [3] });
    assert.deepEqual(await left(other, owner, records), without(session, [0, 1, 2, 4]));
    await raise(store, owner, { session, floor: 1_000_000_000_000, open: [9, 999_999_999_999] });
    assert.deepEqual(await left(other, owner, records), without(session, [0, 1, 2, 3, 4, 5, 6, 7, 8]));
    assert.deepEqual(await readRow(store, owner.shard, "alice"), rowAt(1));
  });

  test("an open number protects every record of its range, and a floor removes all of a settled one", async () => {
    const { store, other, service } = fixture();
    for (const name of [session, "\u{1F600}/7"]) {
      const owner = await own(store, service());
      const derived = (number: number, hash: string) => {
        return { ...callOf(name, number), id: derivedRecordId(name, number, hash) };
      };
      const numbers = [1, 2, 3, 4];
      const records = numbers.flatMap((number) => [callOf(name, number), derived(number, "a"), derived(number, "b")]);
      await commit(store, owner, put("alice", 0, 1, records));
      const of = (...kept: number[]) => records.filter((_, at) => kept.includes(numbers[Math.floor(at / 3)]!));
      const ids = (...kept: number[]) => of(...kept).map(({ id }) => id);
      await raise(store, owner, { session: name, floor: 4, open: [2] });
      assert.deepEqual(await left(other, owner, records), ids(2, 4));
      await raise(store, owner, { session: name, floor: 4, open: [] });
      assert.deepEqual(await left(other, owner, records), ids(4));
      await trim(store, owner, { endedSessions: [name] });
      assert.deepEqual(await left(other, owner, records), []);
    }
  });

  test("several floors rise in one batch, each for its own session", async () => {
    const { store } = fixture();
    const { owner, records, without } = await settled(fixture());
    const floors = sessions.slice(0, 2).map((name, at) => ({ session: name, floor: 9, open: [at] }));
    await raise(store, owner, ...floors);
    const gone = (kept: number) => [0, 1, 2, 3, 4, 5, 6, 7, 8].filter((number) => number !== kept);
    const second = new Set(without(sessions[1]!, gone(1)));
    assert.deepEqual(
      await left(store, owner, records),
      without(session, gone(0)).filter((id) => second.has(id)),
    );
  });

  test("a floor says nothing about another shard", async () => {
    const { store, service } = fixture();
    const name = service();
    const owner = await own(store, name);
    const second = { ...owner, shard: { service: name, number: 1 } };
    await claim(store, owner.incarnation, second.shard);
    const records = [callOf(session, 1)];
    for (const each of [owner, second]) await commit(store, each, put("alice", 0, 1, records));
    await raise(store, owner, { session, floor: 2, open: [] });
    assert.deepEqual(await left(store, owner, records), []);
    assert.deepEqual((await left(store, second, records)).length, 1);
    assert.deepEqual((await claimedAgain(store, second)).floors, []);
  });
}

function togetherTests(fixture: () => Fixture): void {
  test("a record that comes with a floor above it is settled by it", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    const records = [1, 2, 3].map((number) => callOf(session, number));
    const change = put("alice", 0, 1, records);
    const result = await store.commit(raising(owner, [{ session, floor: 3, open: [1] }], change));
    assert.equal(result.status, "committed");
    assert.deepEqual(await left(store, owner, records), [records[0]!.id, records[2]!.id]);
    assert.deepEqual(await readRow(store, owner.shard, "alice"), rowAt(1));
  });

  test("a batch that is not written raises no floor and removes nothing", async () => {
    const { store } = fixture();
    const { owner, records, without } = await settled(fixture());
    const floors = [{ session, floor: 9, open: [] }];
    const malformed = { ...put("bob", 0, 1), state: null };
    for (const [status, late] of [
      ["conflict", raising(owner, floors, put("alice", 7, 8))],
      ["conflict", raising(owner, floors, put("bob", 0, 1, [callOf(session, 1)]))],
      ["refused", raising(owner, floors, malformed)],
      ["fenced", raising({ ...owner, epoch: owner.epoch + 1 }, floors)],
      ["ended", raising({ ...owner, incarnation: owner.incarnation + 1_000_000 }, floors)],
    ] as const) {
      assert.equal((await store.commit(late)).status, status);
    }
    assert.deepEqual(await left(store, owner, records), without(session, []));
    assert.deepEqual((await claimedAgain(store, owner)).floors, []);
  });
}

function claimingTests(fixture: () => Fixture): void {
  test("floors come back with the next claim, the last of each session, whoever claims", async () => {
    const { store, other, service } = fixture();
    const owner = await own(store, service());
    await raise(store, owner, { session, floor: 5, open: [0, 3] }, { session: "\u{1F600}", floor: 1, open: [] });
    await raise(store, owner, { session, floor: 7, open: [3, 6] });
    const floors = inOrder([
      { session, floor: 7, open: [3, 6] },
      { session: "\u{1F600}", floor: 1, open: [] },
    ]);
    assert.deepEqual(inOrder((await claimedAgain(store, owner)).floors), floors);
    await store.endLease(owner);
    const heir = await own(other, owner.shard.service);
    assert.deepEqual(inOrder((await claimedAgain(other, heir)).floors), floors);
  });

  test("what a claim tells of floors, and what a batch says of them, are copies", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    const floor = { session, floor: 5, open: [3] };
    const answer = store.commit(raising(owner, [floor]));
    floor.floor = 9;
    floor.open.push(4);
    assert.equal((await answer).status, "committed");
    const [told] = (await claimedAgain(store, owner)).floors;
    assert.deepEqual(told, { session, floor: 5, open: [3] });
    Object.assign(told!, { floor: 1 });
    assert.deepEqual((await claimedAgain(store, owner)).floors, [{ session, floor: 5, open: [3] }]);
  });
}

function forgettingTests(fixture: () => Fixture): void {
  test("the floor and the records of a session that has ended go, and nobody else's", async () => {
    const { store } = fixture();
    const { owner, records, without } = await settled(fixture());
    const kept = { session: "node 11", floor: 0, open: [] };
    await raise(store, owner, { session, floor: 2, open: [0] }, kept);
    const trimmed = await trim(store, owner, { endedSessions: [session, "nobody"] });
    assert.deepEqual(trimmed, { status: "trimmed", removed: 0, more: false, watermark: 0 });
    assert.deepEqual(await left(store, owner, records), without(session, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
    assert.deepEqual((await claimedAgain(store, owner)).floors, [kept]);
  });

  test("nobody but the owner, at its epoch, ends a session in a shard", async () => {
    const { store } = fixture();
    const { owner, records, without } = await settled(fixture());
    const floor = { session, floor: 0, open: [] };
    await raise(store, owner, floor);
    const stranger = { ...owner, epoch: owner.epoch + 1 };
    assert.deepEqual(await trim(store, stranger, { endedSessions: [session] }), { status: "fenced" });
    assert.deepEqual(await left(store, owner, records), without(session, []));
    assert.deepEqual((await claimedAgain(store, owner)).floors, [floor]);
  });

  test("the record of a session's call has no age: no window and no bound of rows forgets it", async () => {
    const { store, other, service } = fixture();
    const owner = await own(store, service());
    const call = callOf(session, 1);
    const opaque = record("opaque", { finishedAt: 1 });
    const timed = record("timed", { finishedAt: 1, keyTime: 1 });
    await commit(store, owner, put("alice", 0, 1, [call, opaque, timed]));
    const all = { finishedBefore: Number.MAX_SAFE_INTEGER, timedRowsMax: 0 };
    const trimmed = { status: "trimmed", more: false, watermark: 1 };
    assert.deepEqual(await trim(store, owner, all), { ...trimmed, removed: 2 });
    assert.deepEqual(await trim(store, owner, all), { ...trimmed, removed: 0 });
    assert.deepEqual(await left(other, owner, [call, opaque, timed]), [call.id]);
    const again = await store.commit(batch(owner, note("alice", 1, [call])));
    assert.equal(again.status, "conflict", "the record is still what a repeat finds");
  });
}

function formTests(fixture: () => Fixture): void {
  test("a floor that no store can take is refused, with the whole batch", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    for (const [reason, floors] of Object.entries(malformed)) {
      const result = await store.commit(raising(owner, floors, put("alice", 0, 1)));
      assert.ok(result.status === "refused", `${reason}: ${JSON.stringify(result)}`);
      assert.equal(result.error.code, "invalid_argument");
    }
    assert.equal(await readRow(store, owner.shard, "alice"), null);
    assert.deepEqual((await claimedAgain(store, owner)).floors, []);
  });

  test("a timed record needs an instant at which its command finished", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    const timeless = { ...callOf(session, 1), keyTime: 7 };
    const result = await store.commit(batch(owner, put("alice", 0, 1, [timeless])));
    assert.equal(result.status, "refused");
    assert.deepEqual(await left(store, owner, [timeless]), []);
  });
}

const malformed: Readonly<Record<string, readonly SessionFloor[]>> = {
  "an open number at the floor": [{ session, floor: 3, open: [3] }],
  "open numbers that do not ascend": [{ session, floor: 9, open: [3, 2] }],
  "an open number twice": [{ session, floor: 9, open: [3, 3] }],
  "a negative open number": [{ session, floor: 9, open: [-1] }],
  "half an open number": [{ session, floor: 9, open: [0.5] }],
  "a negative floor": [{ session, floor: -1, open: [] }],
  "half a floor": [{ session, floor: 1.5, open: [] }],
  "a floor that is no number": [{ session, floor: Number.NaN, open: [] }],
  "a floor beyond 2^53": [{ session, floor: 2 ** 53, open: [] }],
  "a session without a name": [{ session: "", floor: 1, open: [] }],
  "a session whose records stand among another's": [{ session: "node#1", floor: 1, open: [] }],
  "a NUL in the session": [{ session: "a\0b", floor: 1, open: [] }],
  "half of a character in the session": [{ session: "a\ud800b", floor: 1, open: [] }],
  "a session twice": [
    { session, floor: 1, open: [] },
    { session, floor: 2, open: [] },
  ],
};
