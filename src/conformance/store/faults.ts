import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as after } from "node:timers/promises";
import { SynodError } from "../../errors.ts";
import type { CommitResult, Store } from "../../ports/store.ts";
import {
  batch,
  commit,
  type Fixture,
  own,
  put,
  readRecord,
  readRow,
  renewalsOf,
  rowAt,
  type StoreConformanceOptions,
} from "./fixture.ts";
import { itemsOf, pendingOf } from "./pending.ts";
import { startProcess, workKey, writtenKeys, writtenWork } from "./process.ts";

/** Crashes, full disks and held locks: what was answered is there, what was not is there as a whole or not at all. */
export function faultTests(options: StoreConformanceOptions, fixture: () => Fixture): void {
  if (options.program !== undefined) crashTests(options.program, fixture);
  if (options.createSmall !== undefined) fullTests(options.createSmall);
  if (options.lockedAnswerMaxMs !== undefined) lockTests(options.lockedAnswerMaxMs, fixture);
}

const crashes = 8;
const commitsBeforeCrashMax = 12;
const crashDelayMaxMs = 8;

function crashTests(program: URL, fixture: () => Fixture): void {
  test("a process killed at any moment leaves every batch that was answered, and half of none", async () => {
    const { database, service } = fixture();
    for (let crash = 0; crash < crashes; crash += 2) {
      await Promise.all(
        [service(), service()].map(async (name) => {
          await using child = startProcess(program, database.location, "write", name);
          const incarnation = Number(await child.line());
          let answered = 0;
          const enough = 1 + Math.floor(Math.random() * commitsBeforeCrashMax);
          while (answered < enough) answered = Number(await child.line());
          await after(Math.random() * crashDelayMaxMs);
          answered = Number((await child.kill()).at(-1) ?? answered);
          await checkAfterCrash(fixture(), name, { incarnation, answered });
        }),
      );
    }
  });
}

async function checkAfterCrash(
  { store, other }: Fixture,
  service: string,
  { incarnation, answered }: { incarnation: number; answered: number },
): Promise<void> {
  const shards = [0, 1].map((number) => ({ service, number }));
  // A server may still be at what the dead process had under way: it is decided once the shards have been claimed.
  const { incarnation: heir } = await other.join({
    node: "heir",
    address: null,
    hosts: [{ service, stateVersion: 1 }],
  });
  const expired = [{ incarnation, renewals: (await renewalsOf(other, incarnation))! }];
  const result = await other.claim({ incarnation: heir, shards, expired });
  assert.ok(result.status === "claimed");
  const version = (await readRow(store, shards[0]!, "a"))?.version ?? 0;
  assert.ok(version === answered || version === answered + 1, `${answered} was answered, ${version} is there`);
  for (const shard of shards) {
    for (const key of writtenKeys) {
      assert.deepEqual(await readRow(store, shard, key), rowAt(version));
      for (let each = 1; each <= version; each++) assert.ok(await readRecord(store, shard, `${key}-${each}`));
      assert.equal(await readRecord(store, shard, `${key}-${version + 1}`), null);
    }
    const { journal, ...pending } = writtenWork(version);
    assert.deepEqual(await pendingOf(store, { shard }), pending);
    assert.deepEqual((await itemsOf(store, { shard }, workKey))[0]?.journal ?? [], journal);
  }
  assert.deepEqual(
    result.claimed.map(({ epoch, sessionNext }) => [epoch, sessionNext]),
    shards.map(() => [2, version === 0 ? 1 : 3 * version + 3]),
  );
  const owner = { node: "heir", incarnation: heir, shard: shards[0]!, epoch: 2 };
  await commit(other, owner, put("a", version, version + 1));
}

const largeStateBytes = 64 * 1024;
const commitsUntilFullMax = 200;

function fullTests(create: NonNullable<StoreConformanceOptions["createSmall"]>): void {
  test("a full store says that nothing was written, keeps what it had, and goes on when it has room", async () => {
    const database = await create();
    const store = await database.open();
    const owner = await own(store, "account");
    const large = (key: string) => ({ ...put(key, 0, 1), state: JSON.stringify("x".repeat(largeStateBytes)) });
    const written: string[] = [];
    let result: CommitResult;
    do {
      assert.ok(written.length < commitsUntilFullMax, "the store is small");
      result = await store.commit(batch(owner, large(`key-${written.length}`), put(`${written.length}`, 0, 1)));
      if (result.status === "committed") written.push(`key-${written.length}`);
    } while (result.status === "committed");
    assert.ok(written.length > 0);
    assertNotNow(result);
    await checkRows(store, written.length);

    await store.close();
    await database.grow();
    const again = await database.open();
    await checkRows(again, written.length);
    await commit(again, owner, large(`key-${written.length}`), put(`${written.length}`, 0, 1));
    await checkRows(again, written.length + 1);
    await again.close();
    await database.remove();
  });

  async function checkRows(store: Store, written: number): Promise<void> {
    const shard = { service: "account", number: 0 };
    for (let at = 0; at < written; at++) {
      assert.equal((await readRow(store, shard, `key-${at}`))?.state.length, largeStateBytes + 2);
      assert.deepEqual(await readRow(store, shard, `${at}`), rowAt(1));
    }
    assert.equal(await readRow(store, shard, `key-${written}`), null);
    assert.equal(await readRow(store, shard, `${written}`), null);
  }
}

function assertNotNow(result: CommitResult): void {
  assert.ok(result.status === "failed", JSON.stringify(result));
  assert.equal(result.error.code, "unavailable");
  assert.equal(result.error.outcome, "not-happened");
}

function lockTests(answerMaxMs: number, fixture: () => Fixture): void {
  test("while another process holds the write lock, writes answer within their bound that nothing happened", async () => {
    const { store, other, database, service } = fixture();
    const owner = await own(store, service());
    await commit(store, owner, put("alice", 0, 1));
    assert.ok(database.lock !== undefined, "a store that says how long it waits can be locked");
    const unlock = await database.lock();
    try {
      const start = performance.now();
      const { incarnation } = owner;
      const renewal = store.renew({ incarnation, draining: false, knownRevision: 0 });
      const [committed, renewed] = await Promise.all([
        store.commit(batch(owner, put("alice", 1, 2))),
        renewal.then(
          () => assert.fail("a renewal cannot be written"),
          (error: unknown) => error,
        ),
      ]);
      const tookMs = performance.now() - start;
      assert.ok(tookMs <= answerMaxMs, `answered after ${tookMs} ms`);
      assertNotNow(committed);
      assert.ok(renewed instanceof SynodError);
      assert.deepEqual([renewed.code, renewed.outcome], ["unavailable", "not-happened"]);
      assert.deepEqual(await readRow(other, owner.shard, "alice"), rowAt(1), "reads go on");
    } finally {
      await unlock();
    }
    await commit(store, owner, put("alice", 1, 2));
    const { incarnation } = owner;
    assert.equal((await store.renew({ incarnation, draining: false, knownRevision: 0 })).status, "renewed");
  });

  test("a write that meets a lock waits for it", async () => {
    const { store, database, service } = fixture();
    const owner = await own(store, service());
    const unlock = await database.lock?.();
    const answer = store.commit(batch(owner, put("alice", 0, 1)));
    await unlock?.();
    assert.equal((await answer).status, "committed");
  });
}
