import assert from "node:assert/strict";
import { test } from "node:test";
import type { Read, ReadResult } from "../../ports/store.ts";
import { derivedRecordId, sessionRecordId } from "../../values/ids.ts";
import {
  batch,
  claim,
  commit,
  type Fixture,
  note,
  own,
  put,
  raising,
  readRecord,
  readRow,
  record,
  rowAt,
} from "./fixture.ts";

/** Recorded replies, and reads of several things at once. */
export function recordTests(fixture: () => Fixture): void {
  recordingTests(fixture);
  readingTests(fixture);
}

function recordingTests(fixture: () => Fixture): void {
  test("a record is found under its id, with everything that was recorded", async () => {
    const { store, other, service } = fixture();
    const owner = await own(store, service());
    const [opaque, timed] = [record("opaque", { finishedAt: 5 }), record("timed", { finishedAt: 9, keyTime: 7 })];
    await commit(store, owner, put("alice", 0, 1, [opaque, timed]));
    assert.deepEqual(await readRecord(other, owner.shard, "opaque"), opaque);
    assert.deepEqual(await readRecord(other, owner.shard, "timed"), timed);
    assert.equal(await readRecord(other, owner.shard, "opaqu"), null);
  });

  test("a record belongs to its shard: the same id in another one is another record", async () => {
    const { store, service } = fixture();
    const name = service();
    const owner = await own(store, name);
    const second = { ...owner, shard: { service: name, number: 1 } };
    await claim(store, owner.incarnation, second.shard);
    await commit(store, owner, put("alice", 0, 1, [record("one", { finishedAt: 1 })]));
    assert.equal(await readRecord(store, second.shard, "one"), null);
    await commit(store, second, put("alice", 0, 1, [record("one", { finishedAt: 2 })]));
    assert.equal((await readRecord(store, owner.shard, "one"))?.finishedAt, 1);
    assert.equal((await readRecord(store, second.shard, "one"))?.finishedAt, 2);
  });

  test("an id that is recorded already is a conflict of its entity, and the first reply stays", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    await commit(store, owner, put("alice", 0, 1, [record("one")]));
    for (const change of [
      put("alice", 1, 2, [{ ...record("one"), reply: '"another"' }]),
      put("alice", 1, 2, [record("two"), record("one")]),
      note("alice", 1, [record("one")]),
      put("bob", 0, 1, [record("one")]),
    ]) {
      const result = await store.commit(batch(owner, put("carol", 0, 1), change));
      const entities = [{ shard: owner.shard, key: change.key }];
      assert.deepEqual(result, { status: "conflict", entities }, JSON.stringify(change));
    }
    assert.deepEqual(await readRecord(store, owner.shard, "one"), record("one"));
    assert.equal(await readRecord(store, owner.shard, "two"), null);
    assert.deepEqual(await readRow(store, owner.shard, "alice"), rowAt(1));
    assert.equal(await readRow(store, owner.shard, "carol"), null);
  });

  test("one id twice in a batch, under two keys, is refused", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    const twice = batch(owner, put("alice", 0, 1, [record("one")]), put("bob", 0, 1, [record("one")]));
    assert.equal((await store.commit(twice)).status, "refused");
    assert.equal(await readRecord(store, owner.shard, "one"), null);
  });
}

function readingTests(fixture: () => Fixture): void {
  test("reads are answered in the order asked, whatever they ask for", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    const { shard } = owner;
    await commit(store, owner, put("alice", 0, 1, [record("one")]), put("bob", 0, 2));
    const reads: readonly Read[] = [
      { kind: "record", shard, id: "one" },
      { kind: "entity", shard, key: "bob" },
      { kind: "entity", shard, key: "nobody" },
      { kind: "record", shard, id: "none" },
      { kind: "entity", shard, key: "alice" },
      { kind: "entity", shard: { service: service(), number: 0 }, key: "alice" },
      { kind: "entity", shard, key: "bob" },
    ];
    assert.deepEqual(await store.read(reads), [
      { kind: "record", record: record("one") },
      { kind: "entity", row: rowAt(2) },
      { kind: "entity", row: null },
      { kind: "record", record: null },
      { kind: "entity", row: rowAt(1) },
      { kind: "entity", row: null },
      { kind: "entity", row: rowAt(2) },
    ]);
    assert.deepEqual(await store.read([]), []);
  });

  test("the highest number of a session is that of its records in the shard, whatever was derived from them", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    const { shard } = owner;
    const highest = async (session: string): Promise<readonly ReadResult[]> =>
      await store.read([{ kind: "highest", shard, session }]);
    assert.deepEqual(await highest("n1"), [{ kind: "highest", number: 0 }], "none");
    const ids = [sessionRecordId("n1", 3), sessionRecordId("n1", 40), derivedRecordId("n1", 41, "hash")];
    const others = [sessionRecordId("n10", 99), sessionRecordId("n", 98), "n1", "n1$", "opaque"];
    await commit(
      store,
      owner,
      put(
        "alice",
        0,
        1,
        [...ids, ...others].map((id) => ({ ...record(id), finishedAt: null })),
      ),
    );
    assert.deepEqual(await highest("n1"), [{ kind: "highest", number: 41 }]);
    const [first, , third] = await store.read([
      { kind: "highest", shard, session: "n10" },
      { kind: "record", shard, id: "opaque" },
      { kind: "highest", shard: { service: service(), number: 0 }, session: "n1" },
    ]);
    assert.deepEqual(first, { kind: "highest", number: 99 });
    assert.deepEqual(third, { kind: "highest", number: 0 }, "of another shard");
    const floor = { session: "n1", floor: 42, open: [3] };
    assert.equal((await store.commit(raising(owner, [floor]))).status, "committed");
    assert.deepEqual(await highest("n1"), [{ kind: "highest", number: 3 }], "a floor has removed the others");
  });

  test("thousands of reads at once each get their own answer", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    const keys = Array.from({ length: 2_500 }, (_, at) => `key-${at}`);
    await commit(store, owner, ...keys.map((key, at) => put(key, 0, at + 1)));
    const rows = await Promise.all(keys.map((key) => readRow(store, owner.shard, key)));
    assert.deepEqual(
      rows,
      keys.map((_, at) => rowAt(at + 1)),
    );
  });

  test("whatever one connection was answered, the next read of another one sees", async () => {
    const { store, other, service } = fixture();
    const owner = await own(store, service());
    for (let version = 0; version < 20; version++) {
      const [writer, reader] = version % 2 === 0 ? [store, other] : [other, store];
      await commit(writer, owner, put("alice", version, version + 1, [record(`id-${version}`)]));
      assert.deepEqual(await readRow(reader, owner.shard, "alice"), rowAt(version + 1));
      assert.deepEqual(await readRecord(reader, owner.shard, `id-${version}`), record(`id-${version}`));
    }
  });
}
