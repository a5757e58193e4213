/** Files of older schemas: brought up to date in place when they are opened, with all that is in them. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import test from "node:test";
import { openConnection, useWriteAheadLog } from "../../src/adapters/sqlite/connection.ts";
import { readsOf } from "../../src/adapters/sqlite/reads.ts";
import { prepareStore } from "../../src/adapters/sqlite/schema.ts";
import { openSqliteStore, type SqliteStore } from "../../src/adapters/sqlite/store.ts";
import type { Read, ReadResult } from "../../src/ports/store.ts";
import { oldStore, system, temporaryFolder } from "./sqlite-database.ts";
import { atEachStep } from "./sqlite-dying.ts";

const shards = [0, 1].map((number) => ({ service: "account", number }));
const shard = shards[0]!;
const secret = "9bfb0a1f91847b7e80bb9e70d4aa9ecc98d0cc74ffc6e7f4f51569bd52c8ed51";

type ReadAll = (reads: readonly Read[]) => Promise<readonly ReadResult[]> | readonly ReadResult[];

/** Rows and records are those that `schema-1.sql` holds. */
async function assertRowsAreAsTheyWere(read: ReadAll): Promise<void> {
  const record = (id: string, finishedAt: number | null, keyTime: number | null) => {
    const reply = JSON.stringify({ ok: true, output: id });
    return { kind: "record", record: { id, inputHash: `hash of ${id}`, reply, finishedAt, keyTime } };
  };
  const keys = ["alice", "b\u{1F600}b"].map((key) => ({ kind: "entity" as const, shard, key }));
  const ids = ["opaque", "timed", "n4#00000000002", "n4#00000000005", "forgotten"];
  const records = ids.map((id) => ({ kind: "record" as const, shard, id }));
  assert.deepEqual(await read([...keys, ...records]), [
    { kind: "entity", row: { version: 3, stateVersion: 2, state: '{"balance":500}' } },
    { kind: "entity", row: { version: 1, stateVersion: 1, state: '{"name":"it\'s"}' } },
    record("opaque", 1_700_000_000_000, null),
    record("timed", 1_700_000_000_000, 1_699_999_999_000),
    record("n4#00000000002", null, null),
    record("n4#00000000005", null, null),
    { kind: "record", record: null },
  ]);
}

async function assertAsItWas(store: SqliteStore): Promise<void> {
  const { secret: bytes, ...identity } = store.identity;
  assert.deepEqual(identity, { system, cluster: 1, shardsPerService: 2 });
  assert.equal(Buffer.from(bytes).toString("hex"), secret);
  const hosts = [{ service: "account", stateVersion: 2 }];
  assert.deepEqual((await store.view()).members, [
    { node: "node-1", incarnation: 1, address: "127.0.0.1:7000", hosts, draining: false, renewals: 2 },
  ]);
  await assertRowsAreAsTheyWere((reads) => store.read(reads));
}

test("a store of schema 1 is opened as one of the present schema, and everything in it is as it was", async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "bank.db");
  await oldStore(path);
  const store = await openSqliteStore({ path, system });
  await assertAsItWas(store);
  const claimed = await store.claim({ incarnation: 1, shards, expired: [] });
  assert.ok(claimed.status === "claimed");
  const floors = [{ session: "n4", floor: 5, open: [2] }];
  assert.deepEqual(claimed.claimed, [
    { shard, epoch: 2, stateVersion: 2, watermark: 1_600_000_000_000, floors, sessionNext: 1 },
    { shard: shards[1], epoch: 2, stateVersion: 1, watermark: 0, floors: [], sessionNext: 1 },
  ]);
  await store.close();
  const again = await openSqliteStore({ path, system });
  await assertAsItWas(again);
  await again.close();
});

test("pending work is kept in a store that was of schema 1", async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "bank.db");
  await oldStore(path);
  const store = await openSqliteStore({ path, system });
  const timer = { key: "alice", name: "hold", generation: 1, dueAt: 7, service: null, target: null };
  const row = { ...timer, operation: "o", input: null, principal: "p", request: "r", traceparent: null, attempts: 0 };
  const work = { accepted: [], finished: [], sent: [], timersSet: [row], timersCleared: [] };
  const entity = { key: "alice", expectedVersion: 3, version: 3, stateVersion: 2, state: null, records: [], work };
  const changes = { shard, epoch: 1, entities: [entity], floors: [], sessionNext: 2, progress: null };
  const result = await store.commit({ incarnation: 1, shards: [changes] });
  assert.equal(result.status, "committed", JSON.stringify(result));
  assert.deepEqual(await store.read([{ kind: "timers", shard, after: null, limit: 9 }]), [
    { kind: "timers", page: { rows: [row], damaged: [], next: null } },
  ]);
  await store.close();
});

test("a migrated store has the tables, columns and indexes of a new one", async () => {
  await using folder = await temporaryFolder();
  const [old, fresh] = [join(folder.path, "old.db"), join(folder.path, "new.db")];
  await oldStore(old);
  for (const path of [old, fresh]) await (await openSqliteStore({ path, system, shardsPerService: 2 })).close();
  const form = formOf(fresh);
  assert.deepEqual(formOf(old), form);
  assert.ok(form.length > 60, `${form.length} columns`);
});

/** Every column of every table and index, and the schema. */
function formOf(path: string): unknown[] {
  const database = new DatabaseSync(path);
  const names = database.prepare("SELECT type, name FROM sqlite_master ORDER BY name").all();
  const columns = names.flatMap(({ type, name }) => {
    const pragma = type === "table" ? "table_xinfo" : "index_xinfo";
    return database.prepare(`SELECT ? AS of, * FROM pragma_${pragma}(?)`).all(String(name), String(name));
  });
  const rest = database.prepare("SELECT schema FROM meta").all();
  database.close();
  return [...columns, ...rest].map((row) => ({ ...row }));
}

test("the store of another system is refused as it is, whatever its schema", async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "bank.db");
  await oldStore(path);
  const before = await readFile(path);
  await assert.rejects(openSqliteStore({ path, system: "shop" }), { code: "failed_precondition" });
  assert.deepEqual(await readFile(path), before);
});

test("many processes that open an old store at the same time open one new store", async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "bank.db");
  await oldStore(path);
  const stores = await Promise.all(Array.from({ length: 4 }, () => openSqliteStore({ path, system })));
  for (const store of stores) await assertAsItWas(store);
  await Promise.all(stores.map((store) => store.close()));
});

test("a node of an older Synod that has the store open goes on while it is migrated", async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "bank.db");
  await oldStore(path);
  const old = new DatabaseSync(path);
  useWriteAheadLog(old);
  // As schema 1's code prepared them when it opened the store.
  const statements = {
    look: old.prepare("SELECT owner, epoch, state_version AS stateVersion, watermark FROM shards WHERE number = 0"),
    addShard: old.prepare("INSERT INTO shards (service, number) VALUES (?, ?) ON CONFLICT DO NOTHING"),
    addRecord: old.prepare("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"),
    addEntity: old.prepare("INSERT INTO entities VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"),
    claim: old.prepare("UPDATE shards SET owner = 1, epoch = epoch + 1 WHERE number = 0 RETURNING epoch, watermark"),
  };
  statements.look.get();
  const store = await openSqliteStore({ path, system });
  assert.deepEqual({ ...statements.look.get() }, { owner: 1, epoch: 1, stateVersion: 2, watermark: 1_600_000_000_000 });
  assert.equal(statements.addShard.run("account", 7).changes, 1);
  assert.equal(statements.addRecord.run("account", 0, "late", "h", "{}", 1, null, 0).changes, 1);
  assert.equal(statements.addEntity.run("account", 0, "late", 1, 1, "{}", 0, 1).changes, 1);
  assert.deepEqual({ ...statements.claim.get() }, { epoch: 2, watermark: 1_600_000_000_000 });
  old.close();
  const claimed = await store.claim({ incarnation: 1, shards, expired: [] });
  assert.ok(claimed.status === "claimed");
  assert.deepEqual(
    claimed.claimed.map(({ epoch, sessionNext }) => [epoch, sessionNext]),
    [
      [3, 1],
      [2, 1],
    ],
  );
  await store.close();
});

test("a migration that dies before any of its steps leaves a store that can be opened, with everything in it", async () => {
  const schemas: number[] = [];
  const steps = await atEachStep("migrate", oldStore, async (path, step) => {
    const database = openConnection(path, "writer");
    schemas[step] = Number((database.prepare("SELECT schema FROM meta").get() as { schema: number }).schema);
    const names = database
      .prepare("SELECT count(*) AS tables FROM sqlite_master WHERE name IN ('inbox', 'timers', 'timer_counts')")
      .get();
    assert.equal(names?.tables, schemas[step] === 3 ? 3 : 0, "the tables come with the schema's number");
    prepareStore(database, { path, system, shardsPerService: 2, secret: new Uint8Array(32) });
    const read = readsOf(database, path);
    await assertRowsAreAsTheyWere((reads) => reads.map(read));
    assert.deepEqual(read({ kind: "inbox", shard, after: 0, limit: 1 }), {
      kind: "inbox",
      page: { rows: [], damaged: [], next: null },
    });
    database.close();
  });
  assert.ok(steps >= 5, `BEGIN, tables, schema and COMMIT are among ${steps} steps`);
  assert.equal(schemas[1], 1);
  assert.equal(schemas.at(-1), 3);
  const sorted = schemas.slice(1).toSorted((a, b) => a - b);
  assert.deepEqual(schemas.slice(1), sorted, "once it is migrated it stays so");
});
