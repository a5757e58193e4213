/** Rows, pages and disks that fail: nothing wrong is ever answered, and a commit that cannot be trusted says so. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { openSqliteStore } from "../../src/adapters/sqlite/store.ts";
import { SynodError } from "../../src/errors.ts";
import type { CommitBatch, EntityChange, Read, ReadResult, Store } from "../../src/ports/store.ts";
import { temporaryFolder } from "./sqlite-database.ts";

const system = "bank";
const shard = { service: "account", number: 0 };

function change(key: string, version: number): EntityChange {
  const state = JSON.stringify({ key, version, padding: "x".repeat(200) });
  const record = { id: `${key}-${version}`, inputHash: "h", reply: state, finishedAt: 1, keyTime: null };
  return { key, expectedVersion: version - 1, version, stateVersion: 1, state, records: [record], work: null };
}

function batch(...entities: EntityChange[]): CommitBatch {
  return { incarnation: 1, shards: [{ shard, epoch: 1, entities, floors: [], sessionNext: null, progress: null }] };
}

/** A store with rows of version 1, whose first member owns the shard; closed. */
async function filledStore(path: string, keys: readonly string[]): Promise<void> {
  const store = await openSqliteStore({ path, system });
  await store.join({ node: "node", address: null, hosts: [{ service: shard.service, stateVersion: 1 }] });
  await store.claim({ incarnation: 1, shards: [shard], expired: [] });
  const result = await store.commit(batch(...keys.map((key) => change(key, 1))));
  assert.equal(result.status, "committed");
  await store.close();
}

test("a row that somebody has changed is data loss, by its name, and its neighbours are read", async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "bank.db");
  const keys = ["sound", "state", "version", "state_version", "checksum", "beyond", "reply", "finished_at"];
  await filledStore(path, keys);
  const database = new DatabaseSync(path);
  database.exec(`
    UPDATE entities SET state = replace(state, '"version":1', '"version":7') WHERE key = 'state';
    UPDATE entities SET version = 7 WHERE key = 'version';
    UPDATE entities SET state_version = 7 WHERE key = 'state_version';
    UPDATE entities SET checksum = checksum + 1 WHERE key = 'checksum';
    UPDATE entities SET version = 9223372036854775807 WHERE key = 'beyond';
    UPDATE records SET reply = '{}' WHERE id = 'reply-1';
    UPDATE records SET finished_at = 7 WHERE id = 'finished_at-1';
  `);
  database.close();

  const store = await openSqliteStore({ path, system });
  const results = await store.read([
    ...keys.map((key) => ({ kind: "entity" as const, shard, key })),
    ...keys.map((key) => ({ kind: "record" as const, shard, id: `${key}-1` })),
  ]);
  const [rows, records] = [results.slice(0, keys.length), results.slice(keys.length)];
  const corrupt = (of: readonly ReadResult[]) => keys.filter((_, at) => of[at]?.kind === "corrupt");
  assert.deepEqual(corrupt(rows), ["state", "version", "state_version", "checksum", "beyond"]);
  assert.deepEqual(corrupt(records), ["reply", "finished_at"]);
  const [found, recorded] = [rows[1], records[6]];
  assert.ok(found?.kind === "corrupt" && recorded?.kind === "corrupt");
  assert.equal(found.error.code, "data_loss");
  const advice = `in ${path} does not match its checksum: restore it from a backup`;
  assert.equal(found.error.message, `the state of account/"state" ${advice}`);
  assert.equal(recorded.error.message, `the reply recorded under account/"reply-1" ${advice}`);
  await store.close();
});

test("pages that are overwritten are data loss: no read answers anything wrong, and a commit breaks the store", async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "bank.db");
  const keys = Array.from({ length: 1_000 }, (_, at) => `key-${at}`);
  await filledStore(path, keys);
  await overwriteHalf(path);

  const store = await openSqliteStore({ path, system });
  const reads: readonly Read[] = keys.map((key) => ({ kind: "entity", shard, key }));
  const results = await store.read(reads);
  let corrupt = 0;
  results.forEach((result, at) => {
    if (result.kind === "corrupt") {
      corrupt++;
      assert.equal(result.error.code, "data_loss");
    } else {
      assert.deepEqual(result, {
        kind: "entity",
        row: { version: 1, stateVersion: 1, state: change(keys[at]!, 1).state },
      });
    }
  });
  assert.ok(corrupt > 0 && corrupt < keys.length, `${corrupt} rows are damaged`);

  const broken = await firstNotCommitted(store, keys);
  assert.ok(broken.status === "broken", JSON.stringify(broken));
  assert.equal(broken.error.code, "data_loss");
  await assertUnusable(store, "data_loss");
  await store.close();
});

/** From the middle to the end, so that the schema and the first rows stay. */
async function overwriteHalf(path: string): Promise<void> {
  const { size } = await stat(path);
  const half = Math.ceil(size / 2 / 4096) * 4096;
  await using file = await open(path, "r+");
  await file.write(new Uint8Array(size - half).fill(0xff), 0, size - half, half);
}

async function firstNotCommitted(store: Store, keys: readonly string[]) {
  for (const key of keys) {
    const result = await store.commit(batch(change(key, 2)));
    if (result.status !== "committed") return result;
  }
  return assert.fail("a commit to a damaged page cannot succeed");
}

async function assertUnusable(store: Store, code: string): Promise<void> {
  for (const attempt of [
    () => store.commit(batch(change("late", 1))),
    () => store.renew({ incarnation: 1, draining: false, knownRevision: 0 }),
    () => store.read([{ kind: "entity", shard, key: "key-0" }]),
    () => store.view(),
  ]) {
    await assert.rejects(attempt, (error) => error instanceof SynodError && error.code === code);
  }
}

test("an I/O error at commit breaks the store, and what was answered before it is there", async (t) => {
  if (process.platform === "win32") return t.skip("there is no limit on the size of files to run into");
  await using folder = await temporaryFolder();
  const path = join(folder.path, "bank.db");
  const program = fileURLToPath(new URL("./sqlite-until-broken.ts", import.meta.url));
  // Writing beyond the limit fails with EFBIG, which SQLite, unlike a full disk, takes for an I/O error.
  const limited = `ulimit -f 2000; exec "$@"`;
  const { stdout, stderr } = spawnSync("sh", ["-c", limited, "sh", process.execPath, program, path], {
    encoding: "utf8",
  });
  assert.equal(stderr, "");
  const said = JSON.parse(stdout);
  assert.ok(said.committed > 0);
  const message = `${path} failed while writing (disk I/O error): check its disk, then start the node again`;
  assert.deepEqual(said.last, { status: "broken", error: { code: "unavailable", outcome: "unknown", message } });
  const after = { code: "unavailable", outcome: "not-happened", message };
  assert.deepEqual(said.afterwards, { commit: after, renew: after, read: after, view: after });

  const store = await openSqliteStore({ path, system });
  const reads = Array.from({ length: said.committed }, (_, at): Read => ({ kind: "entity", shard, key: `key-${at}` }));
  for (const result of await store.read(reads)) assert.ok(result.kind === "entity" && result.row?.version === 1);
  await store.close();
});
