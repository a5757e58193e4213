import assert from "node:assert/strict";
import { test } from "node:test";
import type { CallRecord } from "../../ports/store.ts";
import {
  batch,
  claim,
  commit,
  type Fixture,
  left,
  note,
  type Owner,
  own,
  put,
  readRow,
  record,
  rowAt,
  trim,
} from "./fixture.ts";

/** Retention: what is forgotten goes in order, and what was forgotten is refused. */
export function trimTests(fixture: () => Fixture): void {
  opaqueTests(fixture);
  timedTests(fixture);
  watermarkTests(fixture);
}

async function ownerOf(fixture: Fixture, records: readonly CallRecord[]): Promise<Owner> {
  const owner = await own(fixture.store, fixture.service());
  await commit(fixture.store, owner, put("alice", 0, 1, records));
  return owner;
}

function opaqueTests(fixture: () => Fixture): void {
  test("opaque records are forgotten when they are past the window, and no earlier", async () => {
    const { store } = fixture();
    const records = [9, 10, 11].map((finishedAt) => record(`at ${finishedAt}`, { finishedAt }));
    const owner = await ownerOf(fixture(), records);
    const trimmed = { status: "trimmed", more: false, watermark: 0 };
    assert.deepEqual(await trim(store, owner, { finishedBefore: 9 }), { ...trimmed, removed: 0 });
    assert.deepEqual(await trim(store, owner, { finishedBefore: 10 }), { ...trimmed, removed: 1 });
    assert.deepEqual(await left(store, owner, records), ["at 10", "at 11"]);
    assert.deepEqual(await readRow(store, owner.shard, "alice"), rowAt(1));
    await commit(store, owner, note("alice", 1, [record("at 9", { finishedAt: 20 })]));
  });

  test("one call removes no more than it may, the oldest first, and says when another may find more", async () => {
    const { store } = fixture();
    const records = [5, 3, 1, 4, 2].map((finishedAt) => record(`at ${finishedAt}`, { finishedAt }));
    const owner = await ownerOf(fixture(), records);
    const bounds = { finishedBefore: 100, removeMax: 2 };
    const trimmed = { status: "trimmed", watermark: 0 };
    assert.deepEqual(await trim(store, owner, bounds), { ...trimmed, removed: 2, more: true });
    assert.deepEqual(await left(store, owner, records), ["at 5", "at 3", "at 4"]);
    assert.deepEqual(await trim(store, owner, bounds), { ...trimmed, removed: 2, more: true });
    assert.deepEqual(await trim(store, owner, bounds), { ...trimmed, removed: 1, more: false });
    assert.deepEqual(await left(store, owner, records), []);
  });

  test("nobody but the owner, at its epoch, forgets anything", async () => {
    const { store, other, service } = fixture();
    const records = [record("one", { finishedAt: 1 }), record("two", { finishedAt: 1, keyTime: 1 })];
    const owner = await ownerOf(fixture(), records);
    const stranger = await own(other, service());
    for (const caller of [
      { ...owner, epoch: owner.epoch - 1 },
      { ...owner, epoch: owner.epoch + 1 },
      { ...owner, incarnation: stranger.incarnation },
      { ...owner, shard: { service: service(), number: 0 } },
    ]) {
      assert.deepEqual(await trim(store, caller, { finishedBefore: 100 }), { status: "fenced" });
    }
    await store.endLease(owner);
    assert.deepEqual(await trim(store, owner, { finishedBefore: 100 }), { status: "fenced" });
    assert.deepEqual(await left(store, owner, records), ["one", "two"]);
  });

  test("a shard forgets nothing of another one", async () => {
    const { store, service } = fixture();
    const name = service();
    const owner = await own(store, name);
    const second = { ...owner, shard: { service: name, number: 1 } };
    await claim(store, owner.incarnation, second.shard);
    const records = [record("one", { finishedAt: 1 }), record("two", { finishedAt: 1, keyTime: 1 })];
    for (const each of [owner, second]) await commit(store, each, put("alice", 0, 1, records));
    await trim(store, owner, { finishedBefore: 100 });
    assert.deepEqual(await left(store, owner, records), []);
    assert.deepEqual(await left(store, second, records), ["one", "two"]);
  });
}

/** Timed records by `[keyTime, finishedAt]`, named after both. */
function timed(...instants: readonly (readonly [number, number])[]): CallRecord[] {
  return instants.map(([keyTime, finishedAt], at) => record(`${keyTime}/${finishedAt}/${at}`, { keyTime, finishedAt }));
}

function timedTests(fixture: () => Fixture): void {
  test("timed records go in the order of their keys' time, and the first that must stay keeps the later ones", async () => {
    const { store } = fixture();
    const records = timed([3, 10], [1, 10], [2, 90], [4, 10]);
    const owner = await ownerOf(fixture(), records);
    const trimmed = { status: "trimmed", more: false };
    assert.deepEqual(await trim(store, owner, { finishedBefore: 50 }), { ...trimmed, removed: 1, watermark: 1 });
    assert.deepEqual(await left(store, owner, records), ["3/10/0", "2/90/2", "4/10/3"]);
    assert.deepEqual(await trim(store, owner, { finishedBefore: 91 }), { ...trimmed, removed: 3, watermark: 4 });
  });

  test("timed records of one instant go together or not at all", async () => {
    const { store } = fixture();
    const records = timed([1, 10], [1, 90], [1, 20]);
    const owner = await ownerOf(fixture(), records);
    const trimmed = { status: "trimmed", more: false };
    assert.deepEqual(await trim(store, owner, { finishedBefore: 50 }), { ...trimmed, removed: 0, watermark: 0 });
    assert.equal((await left(store, owner, records)).length, 3);
    assert.deepEqual(await trim(store, owner, { finishedBefore: 91 }), { ...trimmed, removed: 3, watermark: 1 });
  });

  test("too many timed records go however young they are, and then no more than may stay do stay", async () => {
    const { store } = fixture();
    const records = timed([1, 50], [2, 50], [2, 50], [3, 50], [4, 50]);
    const owner = await ownerOf(fixture(), records);
    const trimmed = { status: "trimmed", more: false };
    assert.deepEqual(await trim(store, owner, { timedRowsMax: 5 }), { ...trimmed, removed: 0, watermark: 0 });
    assert.deepEqual(await trim(store, owner, { timedRowsMax: 3 }), { ...trimmed, removed: 3, watermark: 2 });
    assert.deepEqual(await left(store, owner, records), ["3/50/3", "4/50/4"]);
    await commit(store, owner, note("alice", 1, timed([5, 60])));
    assert.deepEqual(await trim(store, owner, { timedRowsMax: 2 }), { ...trimmed, removed: 1, watermark: 3 });
  });

  test("the watermark never passes the cap, whatever is past the window or too many", async () => {
    const { store } = fixture();
    const records = timed([1, 10], [5, 10], [6, 10]);
    const owner = await ownerOf(fixture(), records);
    const bounds = { finishedBefore: 100, timedRowsMax: 0, timedCap: 5 };
    const trimmed = { status: "trimmed", more: false };
    assert.deepEqual(await trim(store, owner, bounds), { ...trimmed, removed: 2, watermark: 5 });
    assert.deepEqual(await left(store, owner, records), ["6/10/2"]);
  });

  test("an instant with more records than one call may remove is forgotten at once and removed in steps", async () => {
    const { store } = fixture();
    const records = timed([1, 10], [2, 10], [2, 10], [2, 10], [2, 10], [3, 10], [4, 99]);
    const owner = await ownerOf(fixture(), records);
    const bounds = { finishedBefore: 50, removeMax: 3 };
    assert.deepEqual(await trim(store, owner, bounds), { status: "trimmed", removed: 3, more: true, watermark: 2 });
    const late = await store.commit(batch(owner, note("alice", 1, timed([2, 60]))));
    assert.equal(late.status, "refused");
    assert.deepEqual(await trim(store, owner, bounds), { status: "trimmed", removed: 3, more: true, watermark: 3 });
    assert.deepEqual(await trim(store, owner, bounds), { status: "trimmed", removed: 0, more: false, watermark: 3 });
    assert.deepEqual(await left(store, owner, records), ["4/99/6"]);
  });
}

function watermarkTests(fixture: () => Fixture): void {
  test("a timed record at or below the watermark is refused, and nothing of its batch is written", async () => {
    const { store } = fixture();
    const owner = await ownerOf(fixture(), timed([10, 1]));
    await trim(store, owner, { finishedBefore: 50 });
    for (const keyTime of [9, 10]) {
      const late = put("alice", 1, 2, [record("late", { keyTime, finishedAt: 60 })]);
      const result = await store.commit(batch(owner, put("bob", 0, 1), late));
      assert.ok(result.status === "refused", JSON.stringify(result));
      assert.equal(result.error.code, "failed_precondition");
    }
    assert.equal(await readRow(store, owner.shard, "bob"), null);
    assert.deepEqual(await readRow(store, owner.shard, "alice"), rowAt(1));
    await commit(store, owner, put("alice", 1, 2, [record("younger", { keyTime: 11 }), record("opaque")]));
  });

  test("the watermark is durable: the next owner is told of it and bound by it", async () => {
    const { store, other } = fixture();
    const owner = await ownerOf(fixture(), timed([10, 1]));
    await trim(store, owner, { finishedBefore: 50 });
    await store.endLease(owner);
    const heir = await own(other, owner.shard.service);
    const { incarnation, shard } = heir;
    const result = await other.claim({ incarnation, shards: [shard], expired: [] });
    assert.ok(result.status === "claimed");
    const claimed = { shard, epoch: heir.epoch + 1, stateVersion: 1, watermark: 10, floors: [], sessionNext: 1 };
    assert.deepEqual(result.claimed, [claimed]);
    const late = batch({ ...heir, epoch: heir.epoch + 1 }, note("alice", 1, timed([10, 60])));
    assert.equal((await other.commit(late)).status, "refused");
  });

  test("the watermark never goes back", async () => {
    const { store } = fixture();
    const owner = await ownerOf(fixture(), timed([10, 1]));
    await trim(store, owner, { finishedBefore: 50 });
    for (const bounds of [{ timedCap: 3, finishedBefore: 100 }, { finishedBefore: 0 }, { timedRowsMax: 0 }]) {
      const result = await trim(store, owner, bounds);
      assert.deepEqual(result, { status: "trimmed", removed: 0, more: false, watermark: 10 });
    }
  });
}
