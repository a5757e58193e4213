/** A process that dies between any two steps of SQLite leaves a store that is whole. */
import assert from "node:assert/strict";
import test from "node:test";
import { openConnection } from "../../src/adapters/sqlite/connection.ts";
import { leasesOf } from "../../src/adapters/sqlite/leases.ts";
import { readsOf } from "../../src/adapters/sqlite/reads.ts";
import { prepareStore } from "../../src/adapters/sqlite/schema.ts";
import type { Read, ReadResult, ShardId } from "../../src/ports/store.ts";
import { crashCall, crashKeys, crashPending, crashService, crashSessionNext } from "./sqlite-crash-batch.ts";
import { system } from "./sqlite-database.ts";
import { atEachStep } from "./sqlite-dying.ts";

const nothingBefore = async (): Promise<void> => {};

test("a commit that dies before any of its steps has happened as a whole or not at all", async () => {
  const versions: number[] = [];
  const steps = await atEachStep("commit", nothingBefore, async (path, step) => {
    versions[step] = durableVersion(path);
  });
  assert.ok(steps >= 12, `BEGIN, COMMIT and ten statements between them are ${steps} steps`);
  assert.deepEqual(versions.slice(1), [...Array.from({ length: steps }, () => 1), 2]);
});

/** The version of everything in the store, which must be the same everywhere. */
function durableVersion(path: string): number {
  const database = openConnection(path, "writer");
  try {
    const read = readsOf(database, path);
    const shards = [0, 1].map((number) => ({ service: crashService, number }));
    const rows = shards.flatMap((shard) => crashKeys.map((key) => read({ kind: "entity", shard, key })));
    const version = versionOf(rows[0]!);
    for (const row of rows) assert.equal(versionOf(row), version);
    for (const shard of shards) {
      const isRecorded = (id: string): boolean => {
        const found = read({ kind: "record", shard, id });
        return found.kind === "record" && found.record !== null;
      };
      for (const [at, key] of crashKeys.entries()) {
        for (const each of [1, 2]) {
          assert.equal(isRecorded(`${key}-${each}`), each <= version);
          assert.equal(isRecorded(crashCall(each, at)), each === version, "a floor goes with what it settles");
        }
      }
    }
    assert.deepEqual(pendingOf(read, shards[0]!), crashPending(version));
    const floors = database.prepare("SELECT DISTINCT floor FROM floors").all();
    assert.deepEqual(
      floors.map((row) => Object.values(row)),
      [[version * crashKeys.length]],
    );
    const held = database
      .prepare("SELECT state_version, timed_records, session_next FROM shards WHERE number < 2")
      .all();
    assert.deepEqual(
      held.map((row) => Object.values(row)),
      [crashSessionNext(version), 1].map((next) => [version, version * crashKeys.length, next]),
    );
    return version;
  } finally {
    database.close();
  }
}

/** What is there of pending work, with the journal of the one item. */
function pendingOf(read: (read: Read) => ReadResult, shard: ShardId): ReturnType<typeof crashPending> {
  const [items, messages, timers] = [
    read({ kind: "inboxOf", shard, key: crashKeys[0]!, after: 0, limit: 9 }),
    read({ kind: "outbox", shard, after: 0, limit: 9 }),
    read({ kind: "timers", shard, after: null, limit: 9 }),
  ];
  assert.ok(items.kind === "inboxOf" && messages.kind === "outbox" && timers.kind === "timers");
  return { items: items.page.rows, messages: messages.page.rows, timers: timers.page.rows };
}

function versionOf(result: ReadResult): number {
  assert.ok(result.kind === "entity" && result.row !== null);
  assert.equal(result.row.state, JSON.stringify(result.row.version));
  return result.row.version;
}

test("a store whose creation died before any of its steps can be created again", async () => {
  const steps = await atEachStep("create", nothingBefore, async (path) => {
    const database = openConnection(path, "writer");
    const secret = new Uint8Array(32);
    const identity = prepareStore(database, { path, system, shardsPerService: 4, secret });
    assert.deepEqual(identity, { system, cluster: 1, shardsPerService: 4, secret });
    const { incarnation } = leasesOf(database, 4).join({ node: "node", address: null, hosts: [] });
    assert.equal(incarnation, 1);
    database.close();
  });
  assert.ok(steps >= 8, `looking, creating and looking again are ${steps} steps`);
});
