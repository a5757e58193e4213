/** Rows of pending work that somebody has changed: each is told by its place, and its neighbours are read. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import test from "node:test";
import { openSqliteStore, type SqliteStore } from "../../src/adapters/sqlite/store.ts";
import type { PageRead } from "../../src/ports/store.ts";
import type { InboxItem, OutboxMessage, TimerRow } from "../../src/ports/work.ts";
import { system, temporaryFolder } from "./sqlite-database.ts";

const shard = { service: "account", number: 0 };
const origin = { operation: "o", input: "{}", principal: "p", request: "r", traceparent: "t" };

function itemOf(number: number): InboxItem {
  const found = { id: `item ${number}`, inputHash: "h", keyTime: 5, call: { session: "s", number: 6 } };
  return { number, key: "alice", ...origin, ...found, acceptedAt: 1, attempts: 1, parked: "{}", holdsTurn: false };
}

function messageOf(number: number): OutboxMessage {
  return { number, key: "alice", service: "s", target: "t", ...origin, sentAt: 1, attempts: 1, parked: "{}" };
}

function timerOf(generation: number): TimerRow {
  return {
    key: "alice",
    name: `${generation}`,
    generation,
    dueAt: generation,
    service: "s",
    target: "t",
    ...origin,
    attempts: 0,
  };
}

/** A closed store with a row of each kind for every number, and a journal of two entries for every item. */
async function filledStore(path: string, numbers: readonly number[]): Promise<void> {
  const store = await openSqliteStore({ path, system });
  await store.join({ node: "node", address: null, hosts: [{ service: shard.service, stateVersion: 1 }] });
  await store.claim({ incarnation: 1, shards: [shard], expired: [] });
  const work = {
    accepted: numbers.map(itemOf),
    finished: [],
    sent: numbers.map((number) => messageOf(number + 100)),
    timersSet: numbers.map(timerOf),
    timersCleared: [],
  };
  const entity = { key: "alice", expectedVersion: 0, version: 0, stateVersion: 1, state: null, records: [], work };
  const journal = ["a", "b"].map((id) => ({ id, name: "n", inputHash: "h", outcome: "1" }));
  const items = numbers.map((number) => ({ number, attempts: 1, parked: "{}", holdsTurn: false, journal }));
  // What is counted has a checksum of its own.
  const timersCounted = numbers.map((number) => ({ key: "alice", name: `${number}`, generation: number, attempts: 2 }));
  const progress = { items, itemsDropped: [], messages: [], messagesSettled: [], timersCounted, released: [] };
  const changes = { shard, epoch: 1, entities: [entity], floors: [], sessionNext: 1_000, progress };
  const result = await store.commit({ incarnation: 1, shards: [changes] });
  assert.equal(result.status, "committed", JSON.stringify(result));
  await store.close();
}

/** The store after each statement has changed the row of its place in the list, counted from 1. */
async function damagedStore(path: string, statements: readonly string[]): Promise<SqliteStore> {
  const numbers = [...statements.keys()].map((at) => at + 1);
  // One row more, which nobody touches.
  await filledStore(path, [...numbers, numbers.length + 1]);
  const database = new DatabaseSync(path);
  for (const [at, sql] of statements.entries()) {
    const { changes } = database.prepare(sql).run(at + 1);
    assert.equal(changes, 1, sql);
  }
  database.close();
  return await openSqliteStore({ path, system });
}

async function pageOf(store: SqliteStore, read: PageRead) {
  const [result] = await store.read([read]);
  assert.ok(result !== undefined && "page" in result, JSON.stringify(result));
  const { rows, damaged, next } = result.page;
  for (const { error } of damaged) assert.equal(error.code, "data_loss");
  return {
    rows: rows as readonly unknown[],
    damaged: damaged.map(({ at }) => at),
    next,
    errors: damaged.map(({ error }) => error.message),
  };
}

const changedTexts = (table: string, columns: readonly string[], where: string): string[] =>
  columns.map((column) => `UPDATE ${table} SET ${column} = ${column} || 'x' WHERE ${where}`);
const changedNumbers = (table: string, columns: readonly string[], where: string): string[] =>
  columns.map((column) => `UPDATE ${table} SET ${column} = ${column} + 1 WHERE ${where}`);

test("an item that was changed in any column is damaged, and so is one whose journal was", async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "store.db");
  const texts = [
    "operation",
    "input",
    "id",
    "input_hash",
    "call_session",
    "principal",
    "request",
    "traceparent",
    "parked",
  ];
  const numbers = ["key_time", "call_number", "accepted_at", "checksum", "attempts", "holds_turn", "progress_checksum"];
  const ofItem = [...changedTexts("inbox", texts, "number = ?"), ...changedNumbers("inbox", numbers, "number = ?")];
  const nothing = ["input", "traceparent", "parked"].map((name) => `UPDATE inbox SET ${name} = NULL WHERE number = ?`);
  const ofJournal = [
    ...changedTexts("journal", ["name", "input_hash", "outcome", "id"], "item = ? AND id = 'a'"),
    "UPDATE journal SET outcome = NULL WHERE item = ? AND id = 'b'",
    "UPDATE journal SET checksum = checksum + 1 WHERE item = ? AND id = 'b'",
  ];
  const statements = [...ofItem, ...nothing, ...ofJournal];
  const store = await damagedStore(path, statements);
  const own = [...ofItem, ...nothing].map((_, at) => at + 1);
  const inbox = await pageOf(store, { kind: "inbox", shard, after: 0, limit: 100 });
  assert.deepEqual(inbox.damaged, own);
  assert.equal(inbox.rows.length, ofJournal.length + 1);
  const items = await pageOf(store, { kind: "inboxOf", shard, key: "alice", after: 0, limit: 100 });
  assert.deepEqual(
    items.damaged,
    [...statements.keys()].map((at) => at + 1),
  );
  const journal = ["a", "b"].map((id) => ({ id, name: "n", inputHash: "h", outcome: "1" }));
  assert.deepEqual(items.rows, [{ ...itemOf(statements.length + 1), journal }]);
  assert.equal(items.errors[0], `item 1 of account/0 in ${path} does not match its checksum: restore it from a backup`);
  await store.close();
});

test("a message that was changed in any column is damaged", async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "store.db");
  const where = "number = ? + 100";
  const texts = [
    "key",
    "target_service",
    "target_key",
    "operation",
    "input",
    "principal",
    "request",
    "traceparent",
    "parked",
  ];
  const statements = [
    ...changedTexts("outbox", texts, where),
    ...changedNumbers("outbox", ["sent_at", "checksum", "attempts", "progress_checksum"], where),
    ...["target_key", "input", "parked"].map((name) => `UPDATE outbox SET ${name} = NULL WHERE ${where}`),
  ];
  const store = await damagedStore(path, statements);
  const page = await pageOf(store, { kind: "outbox", shard, after: 0, limit: 100 });
  assert.deepEqual(
    page.damaged,
    [...statements.keys()].map((at) => at + 101),
  );
  assert.deepEqual(page.rows, [messageOf(statements.length + 101)]);
  assert.equal(
    page.errors[0],
    `message 101 of account/0 in ${path} does not match its checksum: restore it from a backup`,
  );
  await store.close();
});

test("a timer that was changed in any column is damaged, and stands where it says that it stands", async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "store.db");
  const where = "generation = ?";
  const texts = ["target_service", "target_key", "operation", "input", "principal", "request", "traceparent"];
  const statements = [
    ...changedTexts("timers", texts, where),
    ...["target_service", "input"].map((name) => `UPDATE timers SET ${name} = NULL WHERE ${where}`),
    "UPDATE timers SET checksum = checksum + 1 WHERE generation = ?",
    "UPDATE timer_counts SET attempts = 0 WHERE generation = ?",
    "UPDATE timer_counts SET checksum = checksum + 1 WHERE generation = ?",
    "UPDATE timers SET due_at = due_at + 1000 WHERE generation = ?",
  ];
  const store = await damagedStore(path, statements);
  const last = statements.length;
  const page = await pageOf(store, { kind: "timers", shard, after: null, limit: 100 });
  const places = [...statements.keys()].map((at) => ({ dueAt: at + 1, key: "alice", name: `${at + 1}` }));
  assert.deepEqual(page.damaged, [...places.slice(0, -1), { ...places.at(-1), dueAt: last + 1000 }]);
  assert.deepEqual(page.rows, [{ ...timerOf(last + 1), attempts: 2 }]);
  await store.close();
});

test("a page that ends with a damaged row goes on behind it", async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "store.db");
  const store = await damagedStore(path, [
    "UPDATE outbox SET input = 'x' WHERE number = ? + 100",
    "UPDATE outbox SET input = 'x' WHERE number = ? + 100",
  ]);
  const first = await pageOf(store, { kind: "outbox", shard, after: 0, limit: 2 });
  assert.deepEqual([first.rows, first.damaged, first.next], [[], [101, 102], 102]);
  const second = await pageOf(store, { kind: "outbox", shard, after: 102, limit: 2 });
  assert.deepEqual([second.rows, second.damaged, second.next], [[messageOf(103)], [], null]);
  await store.close();
});
