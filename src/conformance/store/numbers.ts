import assert from "node:assert/strict";
import { test } from "node:test";
import type { CallRecord, CommitBatch, EntityChange, ShardId, Store } from "../../ports/store.ts";
import type { EntityWork, ShardProgress } from "../../ports/work.ts";
import {
  batch,
  changes,
  commit,
  type Fixture,
  left,
  note,
  type Owner,
  own,
  put,
  readRecord,
  readRow,
  record,
  trim,
} from "./fixture.ts";
import {
  commitWork,
  entry,
  item,
  message,
  nothingPending,
  pendingBatch,
  pendingOf,
  progressOf,
  timer,
  working,
  workOf,
} from "./pending.ts";

/** Numbers of a shard's own session, keys whose time is forgotten, and pending work that no store can keep. */
export function numberTests(fixture: () => Fixture): void {
  countingTests(fixture);
  watermarkTests(fixture);
  formTests(fixture);
}

async function sessionNextOf(store: Store, { incarnation }: Owner, shard: ShardId): Promise<number> {
  const result = await store.claim({ incarnation, shards: [shard], expired: [] });
  assert.ok(result.status === "claimed");
  return result.claimed[0]!.sessionNext;
}

function counting(
  owner: Owner,
  sessionNext: number | null,
  { entities = [], progress = null }: { entities?: readonly EntityChange[]; progress?: Partial<ShardProgress> | null },
): CommitBatch {
  const shard = {
    ...changes(owner, ...entities),
    sessionNext,
    progress: progress === null ? null : progressOf(progress),
  };
  return { incarnation: owner.incarnation, shards: [shard] };
}

function countingTests(fixture: () => Fixture): void {
  test("numbers begin at 1, and the next owner goes on where the last one ended", async () => {
    const { store, other, service } = fixture();
    const owner = await own(store, service());
    assert.equal(await sessionNextOf(store, owner, owner.shard), 1);
    const heir = await own(store, owner.shard.service, { number: 1 });
    assert.equal((await store.commit(counting(heir, 8, {}))).status, "committed");
    assert.equal((await store.commit(counting(heir, 8, {}))).status, "committed");
    assert.equal((await store.commit(counting(heir, null, {}))).status, "committed");
    await store.endLease(heir);
    const next = await own(other, owner.shard.service, { number: 1 });
    assert.equal(await sessionNextOf(other, next, next.shard), 8);
    assert.equal(await sessionNextOf(store, owner, owner.shard), 1, "each shard counts for itself");
  });

  test("the next number never goes back, and a commit that would have it go back is refused", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    assert.equal((await store.commit(counting(owner, 8, {}))).status, "committed");
    const result = await store.commit(counting(owner, 7, { entities: [put("alice", 0, 1)] }));
    assert.ok(result.status === "refused");
    assert.equal(result.error.code, "invalid_argument");
    assert.equal(await readRow(store, owner.shard, "alice"), null);
    assert.equal(await sessionNextOf(store, owner, owner.shard), 8);
  });

  test("a number or generation that was never given out is refused, and one that was is taken", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    const uses: readonly ((number: number) => Parameters<typeof counting>[2])[] = [
      (number) => ({ entities: [working("alice", 0, { accepted: [item(number, "alice")] })] }),
      (number) => ({ entities: [working("alice", 0, { sent: [message(number, "alice")] })] }),
      (number) => ({ entities: [working("alice", 0, { timersSet: [timer(number, "alice")] })] }),
      (number) => ({
        progress: { released: [{ key: "alice", name: "hold", generation: 1, message: message(number, "alice") }] },
      }),
    ];
    let next = 1;
    for (const use of uses) {
      for (const [number, sessionNext] of [
        [next, null],
        [next + 5, next + 5],
      ] as const) {
        const result = await store.commit(counting(owner, sessionNext, use(number)));
        assert.ok(result.status === "refused", JSON.stringify(result));
        assert.equal(result.error.code, "invalid_argument");
      }
      next += 5;
      const taken = await store.commit(counting(owner, next, use(next - 1)));
      assert.equal(taken.status, "committed", JSON.stringify(taken));
      const late = await store.commit(counting(owner, null, use(next - 2)));
      assert.equal(late.status, "committed", "what was given out may come late");
    }
  });

  test("a timer whose message would have a number that is in the outbox is refused", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    await commitWork(
      store,
      owner,
      working("alice", 0, { sent: [message(1, "alice")], timersSet: [timer(2, "alice")] }),
    );
    for (const generation of [2, 3]) {
      const released = [{ key: "alice", name: "hold", generation, message: message(1, "alice") }];
      assert.equal((await store.commit(pendingBatch(owner, { released }))).status, "refused");
    }
    const rows = { ...nothingPending, messages: [message(1, "alice")], timers: [timer(2, "alice")] };
    assert.deepEqual(await pendingOf(store, owner), rows);
  });
}

/** An owner whose shard has forgotten timed keys up to 10, and holds an item of each of these key times. */
async function forgetful({ store, service }: Fixture, ...keyTimes: readonly number[]): Promise<Owner> {
  const owner = await own(store, service());
  await commit(store, owner, note("zoe", 0, [record("old", { keyTime: 10, finishedAt: 1 })]));
  const accepted = keyTimes.map((keyTime, at) => item(at + 1, "alice", { keyTime }));
  await commitWork(store, owner, working("alice", 0, { accepted }));
  const trimmed = await trim(store, owner, { finishedBefore: 50 });
  assert.ok(trimmed.status === "trimmed" && trimmed.watermark === 10);
  return owner;
}

function finishing(number: number, records: readonly CallRecord[], rest: Partial<EntityWork> = {}): EntityChange {
  return { ...note("alice", 0, records), work: workOf({ finished: [number], ...rest }) };
}

function watermarkTests(fixture: () => Fixture): void {
  test("the record of an item that was open until its key was forgotten is kept as an opaque one", async () => {
    const { store } = fixture();
    const owner = await forgetful(fixture(), 10, 11);
    const outcomes = [
      record("item 1", { keyTime: 10, finishedAt: 60 }),
      record("item 2", { keyTime: 11, finishedAt: 60 }),
    ];
    await commit(store, owner, finishing(1, [outcomes[0]!], { finished: [1, 2] }), note("bob", 0, []));
    assert.deepEqual(await readRecord(store, owner.shard, "item 1"), { ...outcomes[0], keyTime: null });
  });

  test("an opaque record that was timed goes by its age, and the watermark counts the timed ones only", async () => {
    const { store } = fixture();
    const owner = await forgetful(fixture(), 10, 11);
    const outcomes = [
      record("item 1", { keyTime: 10, finishedAt: 60 }),
      record("item 2", { keyTime: 11, finishedAt: 60 }),
    ];
    await commit(store, owner, { ...note("alice", 0, outcomes), work: workOf({ finished: [1, 2] }) });
    const kept = await trim(store, owner, { timedRowsMax: 1 });
    assert.deepEqual(kept, { status: "trimmed", removed: 0, more: false, watermark: 10 });
    assert.deepEqual(await left(store, owner, outcomes), ["item 1", "item 2"]);
    assert.deepEqual(await trim(store, owner, { timedRowsMax: 0 }), { ...kept, removed: 1, watermark: 11 });
    assert.deepEqual(await left(store, owner, outcomes), ["item 1"]);
    assert.deepEqual(await trim(store, owner, { finishedBefore: 61 }), { ...kept, removed: 1, watermark: 11 });
  });

  test("a forgotten key is refused where no item of that id is finished by the same change", async () => {
    const { store } = fixture();
    const owner = await forgetful(fixture(), 10, 10);
    const late = record("item 1", { keyTime: 10, finishedAt: 60 });
    for (const entities of [
      [note("alice", 0, [late])],
      [finishing(2, [late])],
      [finishing(7, [late])],
      [finishing(1, []), note("bob", 0, [late])],
      [{ ...finishing(1, [late]), key: "bob" }],
      [finishing(1, [late, record("other", { keyTime: 9 })])],
    ]) {
      const result = await store.commit(batch(owner, ...entities));
      assert.ok(result.status === "refused", JSON.stringify(result));
      assert.equal(result.error.code, "failed_precondition");
    }
    assert.equal((await pendingOf(store, owner)).items.length, 2);
    await commit(store, owner, finishing(1, [late]));
  });
}

function formTests(fixture: () => Fixture): void {
  test("pending work that no store can keep is refused, with the whole batch", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    await commitWork(store, owner, working("alice", 0, { accepted: [item(1, "alice")], sent: [message(2, "alice")] }));
    const before = await pendingOf(store, owner);
    for (const [reason, work] of Object.entries(malformedWork)) {
      const result = await store.commit(pendingBatch(owner, null, put("good", 0, 1), working("alice", 0, work)));
      assert.ok(result.status === "refused", `${reason}: ${JSON.stringify(result)}`);
      assert.equal(result.error.code, "invalid_argument", reason);
    }
    for (const [reason, progress] of Object.entries(malformedProgress)) {
      const result = await store.commit(pendingBatch(owner, progress, put("good", 0, 1)));
      assert.ok(result.status === "refused", `${reason}: ${JSON.stringify(result)}`);
      assert.equal(result.error.code, "invalid_argument", reason);
    }
    for (const sessionNext of [-1, 1.5, 2 ** 53]) {
      assert.equal((await store.commit(counting(owner, sessionNext, {}))).status, "refused");
    }
    const twice = [
      working("alice", 0, { sent: [message(7, "alice")] }),
      working("bob", 0, { sent: [message(7, "bob")] }),
    ];
    assert.equal((await store.commit(pendingBatch(owner, null, ...twice))).status, "refused");
    assert.deepEqual(await pendingOf(store, owner), before);
    assert.equal(await readRow(store, owner.shard, "good"), null);
  });
}

const surrogate = '"\ud800"';

const malformedWork: Readonly<Record<string, Partial<EntityWork>>> = {
  "an item of another key": { accepted: [item(5, "bob")] },
  "an item without a number": { accepted: [item(0, "alice")] },
  "an item with half a number": { accepted: [item(5.5, "alice")] },
  "half of a character in an input": { accepted: [item(5, "alice", { input: surrogate })] },
  "a NUL in an id": { accepted: [item(5, "alice", { id: "a\0b" })] },
  "an instant that is none": { accepted: [item(5, "alice", { acceptedAt: Number.NaN })] },
  "half a millisecond": { accepted: [item(5, "alice", { keyTime: 0.5 })] },
  "attempts below zero": { accepted: [item(5, "alice", { attempts: -1 })] },
  "a session that cannot be called so": { accepted: [item(5, "alice", { call: { session: "a#b", number: 1 } })] },
  "two items of one number": { accepted: [item(5, "alice"), item(5, "alice")] },
  "an item and a message of one number": { accepted: [item(5, "alice")], sent: [message(5, "alice")] },
  "an item that is accepted and finished": { accepted: [item(5, "alice")], finished: [5] },
  "an item that is finished twice": { finished: [1, 1] },
  "a message of another key": { sent: [message(5, "bob")] },
  "half of a character in a reason": { sent: [message(5, "alice", { parked: surrogate })] },
  "a message sent at no instant": { sent: [message(5, "alice", { sentAt: Number.POSITIVE_INFINITY })] },
  "a timer of another key": { timersSet: [timer(5, "bob")] },
  "a timer due at no instant": { timersSet: [timer(5, "alice", { dueAt: 0.1 })] },
  "a timer that is tried before it is set": { timersSet: [timer(5, "alice", { attempts: 1 })] },
  "a timer without a generation": { timersSet: [timer(-1, "alice")] },
  "a timer that is set twice": { timersSet: [timer(5, "alice"), timer(6, "alice")] },
  "a timer that is set and cleared": { timersSet: [timer(5, "alice")], timersCleared: ["hold"] },
  "a NUL in the name of a timer": { timersCleared: ["a\0b"] },
};

const progressOfItem = { number: 1, attempts: 2, parked: null, holdsTurn: false, journal: [] };
const progressOfMessage = { number: 2, attempts: 1, parked: null };
const tries = { key: "alice", name: "hold", generation: 5, attempts: 1 };
const release = { key: "alice", name: "hold", generation: 5, message: message(6, "alice") };

const malformedProgress: Readonly<Record<string, Partial<ShardProgress>>> = {
  "an item twice": { items: [progressOfItem, progressOfItem] },
  "an item without a number": { items: [{ ...progressOfItem, number: 0 }] },
  "half an attempt": { items: [{ ...progressOfItem, attempts: 0.5 }] },
  "half of a character in the reason of an item": { items: [{ ...progressOfItem, parked: surrogate }] },
  "an id twice in a journal": { items: [{ ...progressOfItem, journal: [entry("a"), entry("a", "1")] }] },
  "half of a character in an outcome": { items: [{ ...progressOfItem, journal: [entry("a", surrogate)] }] },
  "a NUL in a journal": { items: [{ ...progressOfItem, journal: [entry("a\0b")] }] },
  "an item that is dropped twice": { itemsDropped: [1, 1] },
  "a message twice": { messages: [progressOfMessage, progressOfMessage] },
  "a NUL in the reason of a message": { messages: [{ ...progressOfMessage, parked: "\0" }] },
  "a message that is settled twice": { messagesSettled: [2, 2] },
  "half a message that is settled": { messagesSettled: [0.5] },
  "a timer that is counted twice": { timersCounted: [tries, { ...tries, attempts: 2 }] },
  "half a try of a timer": { timersCounted: [{ ...tries, attempts: 0.5 }] },
  "a NUL in the name of a timer that is counted": { timersCounted: [{ ...tries, name: "\0" }] },
  "a release into a message of another key": { released: [{ ...release, message: message(6, "bob") }] },
  "two releases into one number": { released: [release, { ...release, name: "other" }] },
  "a release of no generation": { released: [{ ...release, generation: -1 }] },
  "half of a character in a released message": {
    released: [{ ...release, message: message(6, "alice", { input: surrogate }) }],
  },
};
