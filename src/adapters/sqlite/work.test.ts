/** What is written of a durable command's row when its journal grows: nothing, unless how far it has come has changed. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import type { InboxItem, JournalEntry } from "../../ports/work.ts";
import { createTables } from "./schema.ts";
import { workWriterOf } from "./work.ts";

const shard = { service: "saga", number: 3 };
const item: InboxItem = {
  ...{ number: 7, key: "k", operation: "run", input: null, id: "i", inputHash: "", keyTime: null, call: null },
  ...{ principal: "p", request: "r", traceparent: null, acceptedAt: 1_000 },
  ...{ attempts: 1, parked: null, holdsTurn: false },
};

/** A store in memory with one accepted item, of which every later write of its row is told. */
function opened() {
  const database = new DatabaseSync(":memory:");
  createTables(database, { path: "", system: "s", shardsPerService: 64, secret: new Uint8Array(32) });
  const work = workWriterOf(database);
  const nothing = { accepted: [], finished: [], sent: [], timersSet: [], timersCleared: [] };
  assert.ok(work.apply(shard, item.key, { ...nothing, accepted: [item] }));
  let writes = 0;
  database.function("told", () => ++writes);
  database.exec("CREATE TRIGGER telling AFTER UPDATE ON inbox BEGIN SELECT told(); END");
  const advance = (change: Partial<InboxItem>, journal: readonly JournalEntry[]): number => {
    const before = writes;
    const { number, attempts, parked, holdsTurn } = { ...item, ...change };
    const none = { itemsDropped: [], messages: [], messagesSettled: [], timersCounted: [], released: [] };
    work.advance(shard, { ...none, items: [{ number, attempts, parked, holdsTurn, journal }] });
    return writes - before;
  };
  const journal = () => database.prepare("SELECT id, outcome FROM journal ORDER BY rowid").all().map(Object.values);
  const attempts = () => database.prepare("SELECT attempts FROM inbox").get()?.attempts;
  return { advance, journal, attempts, [Symbol.dispose]: () => database.close() };
}

const entry = (id: string, outcome: string | null = null): JournalEntry => ({ id, name: "n", inputHash: "h", outcome });

test("an entry of a journal is added, and replaced by its outcome, without a write of the item's row", () => {
  using store = opened();
  assert.equal(store.advance({}, [entry("a")]), 0);
  assert.equal(store.advance({}, [entry("a", "1"), entry("b")]), 0);
  assert.deepEqual(store.journal(), [
    ["a", "1"],
    ["b", null],
  ]);
});

test("an item that has come further is written, with the entries that come along", () => {
  using store = opened();
  assert.equal(store.advance({ attempts: 2 }, [entry("a"), entry("b")]), 1);
  assert.deepEqual([store.attempts(), store.journal().length], [2, 2]);
  assert.equal(store.advance({ attempts: 2, parked: "{}", holdsTurn: true }, [entry("a", "1")]), 1);
  assert.equal(store.advance({ attempts: 2, parked: "{}", holdsTurn: true }, [entry("c")]), 0);
  assert.equal(store.advance({ attempts: 3 }, []), 1);
});

test("what is said of an item that is not there leaves nothing behind", () => {
  using store = opened();
  assert.equal(store.advance({ number: 8 }, [entry("a")]), 0);
  assert.deepEqual(store.journal(), []);
});
