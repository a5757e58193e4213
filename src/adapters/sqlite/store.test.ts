import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import test, { type TestContext } from "node:test";
import type { Worker } from "node:worker_threads";
import { SynodError } from "../../errors.ts";
import type { CommitBatch } from "../../ports/store.ts";
import { openSqliteStore, type SqliteStore } from "./store.ts";

const shard = { service: "account", number: 0 };

function newPath(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "synod-store-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return join(folder, "bank.db");
}

async function openOwning(path: string): Promise<SqliteStore> {
  const store = await openSqliteStore({ path, system: "bank" });
  await store.join({ node: "node", address: null, hosts: [{ service: shard.service, stateVersion: 1 }] });
  await store.claim({ incarnation: 1, shards: [shard], expired: [] });
  return store;
}

function batch(key: string): CommitBatch {
  const entity = {
    key,
    expectedVersion: 0,
    version: 1,
    stateVersion: 1,
    state: '{"balance":1}',
    records: [],
    work: null,
  };
  return {
    incarnation: 1,
    shards: [{ shard, epoch: 1, entities: [entity], floors: [], sessionNext: null, progress: null }],
  };
}

test("a heartbeat goes before every batch that is not under way yet, and upkeep after all of them", async (t) => {
  const store = await openOwning(newPath(t));
  const order: string[] = [];
  const note = async (name: string, answer: Promise<unknown>) => {
    await answer;
    order.push(name);
  };
  const bounds = { finishedBefore: 0, timedCap: 0, timedRowsMax: 1, endedSessions: [], removeMax: 1 };
  await Promise.all([
    note("under way", store.commit(batch("a"))),
    note("trim", store.trim({ incarnation: 1, shard, epoch: 1, ...bounds })),
    note("commit 1", store.commit(batch("b"))),
    note("commit 2", store.commit(batch("c"))),
    note("claim", store.claim({ incarnation: 1, shards: [], expired: [] })),
    note("heartbeat", store.renew({ incarnation: 1, draining: false, knownRevision: 0 })),
  ]);
  assert.deepEqual(order, ["under way", "heartbeat", "claim", "commit 1", "commit 2", "trim"]);
  await store.close();
});

test("state can be read with SQL as it is", async (t) => {
  const path = newPath(t);
  const store = await openOwning(path);
  await store.commit(batch("alice"));
  const database = new DatabaseSync(path, { readOnly: true });
  const row = database
    .prepare("SELECT service, shard, key, version, state ->> 'balance' AS balance, updated_at FROM entities")
    .get();
  database.close();
  assert.ok(Math.abs(Number(row?.updated_at) - Date.now()) < 60_000);
  assert.deepEqual(
    { ...row, updated_at: 0 },
    {
      service: "account",
      shard: 0,
      key: "alice",
      version: 1,
      balance: 1,
      updated_at: 0,
    },
  );
  assert.ok(store.walBytes > 0);
  await store.close();
});

test("a store that is open and idle does not keep its process alive", (t) => {
  const module = JSON.stringify(new URL("./store.ts", import.meta.url).href);
  const open = `const { openSqliteStore } = await import(${module});
    const store = await openSqliteStore({ path: process.argv[1], system: "bank" });
    await store.view();
    console.log("idle");`;
  const arguments_ = ["--input-type=module", "-e", open, newPath(t)];
  const { stdout, status } = spawnSync(process.execPath, arguments_, { encoding: "utf8", timeout: 20_000 });
  assert.deepEqual([stdout, status], ["idle\n", 0]);
});

test("when the writing thread is gone, what it had in hand is unknown and the rest has not happened", async (t) => {
  const path = newPath(t);
  const threads: Worker[] = [];
  const note = (thread: Worker) => void threads.push(thread);
  process.on("worker", note);
  const store = await openOwning(path);
  process.off("worker", note);
  const holder = new DatabaseSync(path);
  holder.exec("BEGIN IMMEDIATE");
  const asked = [store.commit(batch("a")), store.commit(batch("b"))];
  const [writer] = threads;
  assert.ok(writer !== undefined);
  void writer.terminate();
  const outcomes = (await Promise.allSettled(asked)).map((result) => {
    assert.ok(result.status === "rejected" && result.reason instanceof SynodError);
    assert.equal(result.reason.code, "unavailable");
    return result.reason.outcome;
  });
  assert.deepEqual(outcomes, ["unknown", "not-happened"]);
  const late = { name: "SynodError", code: "unavailable", outcome: "not-happened" };
  await assert.rejects(store.commit(batch("c")), late);
  await assert.rejects(store.read([{ kind: "entity", shard, key: "a" }]), late);
  await store.close();
  holder.close();
});

test("a store that may not grow beyond a size fails as on a full disk, and keeps what it had", async (t) => {
  const path = newPath(t);
  await (await openOwning(path)).close();
  const store = await openSqliteStore({ path, system: "bank", bytesMax: 256 * 1024 });
  const large = (key: string): CommitBatch => {
    const [changes] = batch(key).shards;
    const entities = changes!.entities.map((entity) => ({ ...entity, state: JSON.stringify("x".repeat(32 * 1024)) }));
    return { incarnation: 1, shards: [{ ...changes!, entities }] };
  };
  let written = 0;
  let result = await store.commit(large("key-0"));
  while (result.status === "committed" && written < 20) result = await store.commit(large(`key-${++written}`));
  assert.ok(result.status === "failed" && written > 0, JSON.stringify(result));
  assert.equal(result.error.message, `there is no room for ${path} to grow: free some space`);
  assert.equal(result.error.outcome, "not-happened");
  const keys = Array.from({ length: written + 1 }, (_, at) => `key-${at}`);
  const rows = await store.read(keys.map((key) => ({ kind: "entity", shard, key })));
  const found = rows.filter((row) => row.kind === "entity" && row.row !== null);
  assert.equal(found.length, written);
  await store.close();
});
