import assert from "node:assert/strict";
import { test } from "node:test";
import type { CommitBatch, EntityChange } from "../../ports/store.ts";
import {
  batch,
  changes,
  claim,
  clear,
  commit,
  type Fixture,
  note,
  type Owner,
  own,
  put,
  readRecord,
  readRow,
  record,
  rowAt,
} from "./fixture.ts";

/** Commits: all or nothing, at the current epoch and on the current version only. */
export function commitTests(fixture: () => Fixture): void {
  writingTests(fixture);
  fidelityTests(fixture);
  fenceTests(fixture);
  conflictTests(fixture);
  raceTests(fixture);
  formTests(fixture);
}

function writingTests(fixture: () => Fixture): void {
  test("a row is added, changed and removed, and every connection sees it at once", async () => {
    const { store, other, service } = fixture();
    const owner = await own(store, service());
    for (const [change, row] of [
      [put("alice", 0, 1), rowAt(1)],
      [put("alice", 1, 5), rowAt(5)],
      [clear("alice", 5), null],
      [put("alice", 0, 2), rowAt(2)],
    ] as const) {
      await commit(store, owner, change);
      assert.deepEqual(await readRow(store, owner.shard, "alice"), row);
      assert.deepEqual(await readRow(other, owner.shard, "alice"), row);
    }
  });

  test("clearing removes the row and leaves its records", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    await commit(store, owner, put("alice", 0, 1, [record("first")]));
    await commit(store, owner, clear("alice", 1, [record("second")]));
    assert.equal(await readRow(store, owner.shard, "alice"), null);
    assert.deepEqual(await readRecord(store, owner.shard, "first"), record("first"));
    assert.deepEqual(await readRecord(store, owner.shard, "second"), record("second"));
  });

  test("records are added to a row that stays as it is, and to none", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    await commit(store, owner, put("alice", 0, 1));
    await commit(store, owner, note("alice", 1, [record("one")]), note("bob", 0, [record("two")]));
    assert.deepEqual(await readRow(store, owner.shard, "alice"), rowAt(1));
    assert.equal(await readRow(store, owner.shard, "bob"), null);
    assert.deepEqual(await readRecord(store, owner.shard, "one"), record("one"));
    assert.deepEqual(await readRecord(store, owner.shard, "two"), record("two"));
  });
}

function fidelityTests(fixture: () => Fixture): void {
  test("a batch of a thousand changes over many shards is written as a whole", async () => {
    const { store, other, service } = fixture();
    const { owners, whole } = await wide(fixture(), service(), 1_000);
    assert.equal((await store.commit(whole)).status, "committed");
    for (const [at, { shard }] of owners.entries()) {
      const { entities } = whole.shards[at]!;
      const reads = entities.map(({ key }) => ({ kind: "entity" as const, shard, key }));
      assert.deepEqual(
        await other.read(reads),
        entities.map(() => ({ kind: "entity", row: rowAt(1) })),
      );
    }
  });

  test("text comes back as it went in", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    const texts = [
      "__proto__",
      "constructor",
      "",
      " ",
      "a/b",
      "%2F",
      "'; --",
      '"',
      "ä",
      "a\u0308",
      "\u{1F600}",
      "\u0001",
    ];
    const entities = texts.map((text, at) => {
      const call = { id: `id ${text}`, inputHash: text, reply: JSON.stringify(text), finishedAt: at, keyTime: null };
      return { ...put(text, 0, 1, [call]), state: JSON.stringify({ [text]: text }) };
    });
    await commit(store, owner, ...entities);
    for (const { key, state, records } of entities) {
      assert.deepEqual(await readRow(store, owner.shard, key), { version: 1, stateVersion: 1, state });
      assert.deepEqual(await readRecord(store, owner.shard, records[0]!.id), records[0]);
    }
    const state = JSON.stringify("x".repeat(1024 * 1024));
    await commit(store, owner, { ...put("large", 0, 1), state });
    assert.equal((await readRow(store, owner.shard, "large"))?.state, state);
  });

  test("an answer and a request are copies: changing one afterwards changes nothing in the store", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    const change = { ...put("alice", 0, 1, [record("one")]) };
    const answer = store.commit(batch(owner, change));
    Object.assign(change, { version: 9, state: "{}" });
    Object.assign(change.records[0]!, { reply: "{}" });
    assert.equal((await answer).status, "committed");
    const row = await readRow(store, owner.shard, "alice");
    assert.deepEqual(row, rowAt(1));
    Object.assign(row!, { state: "{}" });
    assert.deepEqual(await readRow(store, owner.shard, "alice"), rowAt(1));
    assert.deepEqual(await readRecord(store, owner.shard, "one"), record("one"));
    const view = await store.view();
    Object.assign(view.members[0]!, { renewals: 99 });
    assert.notEqual((await store.view()).members[0]?.renewals, 99);
  });
}

/** A member that owns many shards, and a batch that adds rows in all of them. */
async function wide(
  { store }: Fixture,
  service: string,
  rows: number,
): Promise<{ owners: readonly Owner[]; whole: CommitBatch }> {
  const first = await own(store, service);
  const shards = Math.min(16, store.identity.shardsPerService);
  const owners: Owner[] = [first];
  for (let number = 1; number < shards; number++) {
    const shard = { service, number };
    owners.push({ ...first, shard, epoch: await claim(store, first.incarnation, shard) });
  }
  const entitiesOf = ({ shard }: Owner): EntityChange[] =>
    Array.from({ length: Math.ceil(rows / shards) }, (_, at) => {
      return put(`key-${at}`, 0, 1, [record(`id-${shard.number}-${at}`)]);
    });
  const whole = {
    incarnation: first.incarnation,
    shards: owners.map((owner) => changes(owner, ...entitiesOf(owner))),
  };
  return { owners, whole };
}

function fenceTests(fixture: () => Fixture): void {
  test("a batch with a shard at another epoch is fenced as a whole, and every such shard is named", async () => {
    const { store, service } = fixture();
    const { owners, whole } = await wide(fixture(), service(), 64);
    const [, late, future] = owners;
    const shards = whole.shards.map((item) => {
      if (item.shard === late?.shard) return { ...item, epoch: item.epoch - 1 };
      return item.shard === future?.shard ? { ...item, epoch: item.epoch + 1 } : item;
    });
    const result = await store.commit({ ...whole, shards });
    assert.deepEqual(result, { status: "fenced", shards: [late?.shard, future?.shard] });
    for (const { shard } of owners) {
      assert.equal(await readRow(store, shard, "key-0"), null);
      assert.equal(await readRecord(store, shard, `id-${shard.number}-0`), null);
    }
    assert.equal((await store.commit(whole)).status, "committed");
  });

  test("nobody commits to a shard that another member owns, that nobody owns or that does not exist", async () => {
    const { store, other, service } = fixture();
    const owner = await own(store, service());
    const stranger = await own(other, service());
    const { shard } = owner;
    for (const target of [
      { shard, epoch: owner.epoch },
      { shard: { service: shard.service, number: 1 }, epoch: 0 },
      { shard: { service: service(), number: 0 }, epoch: 1 },
    ]) {
      const result = await other.commit(batch({ ...stranger, ...target }, put("alice", 0, 1)));
      assert.deepEqual(result, { status: "fenced", shards: [target.shard] });
    }
    assert.equal(await readRow(store, shard, "alice"), null);
  });

  test("a batch of a lease that has ended is not written, even though nobody has claimed its shard", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    await store.endLease(owner);
    const late = batch(owner, put("alice", 0, 1, [record("one")]));
    assert.deepEqual(await store.commit(late), { status: "ended" });
    assert.equal(await readRow(store, owner.shard, "alice"), null);
    assert.equal(await readRecord(store, owner.shard, "one"), null);
  });
}

function conflictTests(fixture: () => Fixture): void {
  test("a change that expects another version is a conflict, whatever it would do", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    await commit(store, owner, put("alice", 0, 3));
    for (const change of [
      put("alice", 0, 4),
      put("alice", 2, 4),
      put("alice", 4, 5),
      clear("alice", 2),
      clear("alice", 4),
      clear("alice", 0),
      note("alice", 2, [record("one")]),
      note("alice", 0, [record("one")]),
      put("bob", 1, 2),
      clear("bob", 1),
      note("bob", 1, [record("one")]),
    ]) {
      const result = await store.commit(batch(owner, change));
      const entities = [{ shard: owner.shard, key: change.key }];
      assert.deepEqual(result, { status: "conflict", entities }, JSON.stringify(change));
    }
    assert.deepEqual(await readRow(store, owner.shard, "alice"), rowAt(3));
    assert.equal(await readRow(store, owner.shard, "bob"), null);
    assert.equal(await readRecord(store, owner.shard, "one"), null);
  });

  test("a batch with conflicts is not written at all, and each of them is named", async () => {
    const { store, service } = fixture();
    const name = service();
    const owner = await own(store, name);
    const second = { ...owner, shard: { service: name, number: 1 } };
    await claim(store, owner.incarnation, second.shard);
    await commit(store, owner, put("alice", 0, 1), put("bob", 0, 1));
    const { incarnation } = owner;
    const result = await store.commit({
      incarnation,
      shards: [
        changes(owner, put("zoe", 0, 1, [record("one")]), put("bob", 7, 8), put("alice", 1, 2)),
        changes(second, put("carol", 0, 1), put("dave", 3, 4, [record("two")])),
      ],
    });
    assert.deepEqual(result, {
      status: "conflict",
      entities: [
        { shard: owner.shard, key: "bob" },
        { shard: second.shard, key: "dave" },
      ],
    });
    assert.deepEqual(await readRow(store, owner.shard, "alice"), rowAt(1));
    for (const key of ["zoe", "carol", "dave"]) {
      assert.equal(await readRow(store, owner.shard, key), null);
      assert.equal(await readRow(store, second.shard, key), null);
    }
    assert.equal(await readRecord(store, owner.shard, "one"), null);
    assert.equal(await readRecord(store, second.shard, "two"), null);
  });
}

function raceTests(fixture: () => Fixture): void {
  test("of commits that change one version at the same time exactly one is taken", async () => {
    const { store, other, service } = fixture();
    const owner = await own(store, service());
    for (let version = 0; version < 5; version++) {
      const results = await Promise.all(
        [store, other, store, other].map((connection) => {
          return connection.commit(batch(owner, put("alice", version, version + 1)));
        }),
      );
      const statuses = results.map(({ status }) => status).sort();
      assert.deepEqual(statuses, ["committed", "conflict", "conflict", "conflict"]);
    }
    assert.deepEqual(await readRow(store, owner.shard, "alice"), rowAt(5));
  });
}

function formTests(fixture: () => Fixture): void {
  test("a batch that no store can take is refused as a whole, and its neighbours are taken", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    const good = put("good", 0, 1);
    for (const [reason, change] of Object.entries(malformed)) {
      const result = await store.commit(batch(owner, good, change));
      assert.ok(result.status === "refused", `${reason}: ${JSON.stringify(result)}`);
      assert.equal(result.error.code, "invalid_argument");
      assert.equal(result.error.outcome, "not-happened");
      assert.equal(result.error.retryable, false);
    }
    assert.equal(await readRow(store, owner.shard, "good"), null);
    await commit(store, owner, good);
  });

  test("shards that stand out of order or twice are refused", async () => {
    const { store, service } = fixture();
    const { whole } = await wide(fixture(), service(), 16);
    const [first, second] = whole.shards;
    for (const shards of [
      [second!, first!],
      [first!, first!],
    ]) {
      assert.equal((await store.commit({ ...whole, shards })).status, "refused");
    }
    assert.equal((await store.commit(whole)).status, "committed");
  });
}

const malformed: Readonly<Record<string, EntityChange>> = {
  "a key twice": { ...put("good", 1, 2) },
  "a NUL in the key": put("a\0b", 0, 1),
  "half of a character in the key": put("a\ud800b", 0, 1),
  "half of a character in the state": { ...put("bad", 0, 1), state: '"\udc00"' },
  "a NUL in an id": put("bad", 0, 1, [record("a\0b")]),
  "half of a character in a reply": put("bad", 0, 1, [{ ...record("one"), reply: '"\ud800"' }]),
  "an id twice": put("bad", 0, 1, [record("one"), record("one")]),
  "an instant that is no number": put("bad", 0, 1, [record("one", { finishedAt: Number.NaN })]),
  "half a millisecond": put("bad", 0, 1, [record("one", { keyTime: 0.5 })]),
  "a negative version": put("bad", -1, 1),
  "half a version": put("bad", 0, 0.5),
  "a version beyond 2^53": put("bad", 0, 2 ** 53),
  "a version that stays, with a state": put("bad", 1, 1),
  "a version that falls": put("bad", 3, 2),
  "a state for a row that is removed": { ...clear("bad", 3), state: "{}" },
  "no state for a row that is added": { ...put("bad", 0, 1), state: null },
};
