import assert from "node:assert/strict";
import { test } from "node:test";
import type { PageRead, ReadResult, Store } from "../../ports/store.ts";
import type { Page } from "../../ports/work.ts";
import { type Fixture, own } from "./fixture.ts";
import { attempt, commitProgress, commitWork, entry, item, message, timer, working } from "./pending.ts";

/** Pages: pending work is read in its order, a bounded number of rows at a time, and never all of it at once. */
export function pageTests(fixture: () => Fixture): void {
  orderTests(fixture);
  movingTests(fixture);
  timerNameTests(fixture);
}

function timerNameTests(fixture: () => Fixture): void {
  test("an entity's timers are told by their names, as the last commit left them, and no others", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    const { shard } = owner;
    const namesOf = async (key: string, limit = 10) => {
      // With its state, as an activation asks.
      const reads = [
        { kind: "entity", shard, key },
        { kind: "timersOf", shard, key, limit },
      ] as const;
      const [entity, result] = await store.read(reads);
      assert.ok(entity?.kind === "entity" && result?.kind === "timersOf");
      return result.names;
    };
    const set = (key: string, ...names: readonly string[]) => {
      const timersSet = names.map((name, at) => timer(at + 1, key, { name, dueAt: 50 - at }));
      return commitWork(store, owner, working(key, 0, { timersSet }));
    };
    assert.deepEqual(await namesOf("alice"), []);
    await set("alice", "b", "\uFF5Ea", "\u{1F600}", "#1", "a");
    await set("alicia", "other");
    await set("ali", "another");
    assert.deepEqual(await namesOf("alice"), ["#1", "a", "b", "\uFF5Ea", "\u{1F600}"], "by their UTF-8 bytes");
    assert.deepEqual(await namesOf("alice", 2), ["#1", "a"]);
    await commitWork(store, owner, working("alice", 0, { timersSet: [timer(9, "alice", { name: "b" })] }));
    await commitWork(store, owner, working("alice", 0, { timersCleared: ["a", "nothing"] }));
    const released = [{ key: "alice", name: "#1", generation: 4, message: message(20, "alice") }];
    await commitProgress(store, owner, { released });
    assert.deepEqual(await namesOf("alice"), ["b", "\uFF5Ea", "\u{1F600}"]);
    assert.deepEqual(await namesOf("nobody"), []);
    const elsewhere = { service: shard.service, number: shard.number + 1 };
    const [foreign] = await store.read([{ kind: "timersOf", shard: elsewhere, key: "alice", limit: 10 }]);
    assert.deepEqual(foreign, { kind: "timersOf", names: [] });
  });
}

type Cursor = PageRead["after"];

/** Reads page after page until there is nothing behind the last. */
async function walk<Row>(
  store: Store,
  limit: number,
  readAfter: (after: Cursor) => PageRead,
  pageOf: (result: ReadResult | undefined) => Page<Row, Exclude<Cursor, null>>,
  first: Cursor,
): Promise<{ readonly rows: readonly Row[]; readonly sizes: readonly number[] }> {
  const rows: Row[] = [];
  const sizes: number[] = [];
  for (let after: Cursor | undefined = first; after !== undefined; ) {
    const [result] = await store.read([readAfter(after)]);
    const page: Page<Row, Exclude<Cursor, null>> = pageOf(result);
    assert.deepEqual(page.damaged, []);
    assert.ok(page.rows.length <= limit, "a page keeps its limit");
    rows.push(...page.rows);
    sizes.push(page.rows.length);
    after = page.next ?? undefined;
    assert.ok(sizes.length < 1_000, "the walk comes to an end");
  }
  return { rows, sizes };
}

function orderTests(fixture: () => Fixture): void {
  test("items and messages come in the order of their numbers, whatever the order in which they were written", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    const { shard } = owner;
    const numbers = [9, 2, 11, 5, 1, 100, 7];
    for (const number of numbers) {
      const key = number % 2 === 0 ? "even" : "odd";
      await commitWork(
        store,
        owner,
        working(key, 0, { accepted: [item(number, key)], sent: [message(number + 200, key)] }),
      );
    }
    const sorted = numbers.toSorted((a, b) => a - b);
    for (const limit of [1, 2, 3, 7, 8]) {
      const inbox = await walk(
        store,
        limit,
        (after) => ({ kind: "inbox", shard, after: after as number, limit }),
        (result) => (result?.kind === "inbox" ? result.page : assert.fail()),
        0,
      );
      assert.deepEqual(
        inbox.rows.map(({ number }) => number),
        sorted,
      );
      const outbox = await walk(
        store,
        limit,
        (after) => ({ kind: "outbox", shard, after: after as number, limit }),
        (result) => (result?.kind === "outbox" ? result.page : assert.fail()),
        0,
      );
      assert.deepEqual(
        outbox.rows.map(({ number }) => number),
        sorted.map((number) => number + 200),
      );
      const odd = await walk(
        store,
        limit,
        (after) => ({ kind: "inboxOf", shard, key: "odd", after: after as number, limit }),
        (result) => (result?.kind === "inboxOf" ? result.page : assert.fail()),
        0,
      );
      assert.deepEqual(
        odd.rows.map(({ number }) => number),
        sorted.filter((number) => number % 2 === 1),
      );
    }
  });

  test("timers come by their due time, then by the UTF-8 bytes of key and name", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    const { shard } = owner;
    // U+FF5E comes before an emoji in UTF-8, and after it in JavaScript's own order.
    const places: readonly (readonly [number, string, string])[] = [
      [-5, "z", "z"],
      [3, "", "b"],
      [3, "a", ""],
      [3, "a", "b"],
      [3, "a", "b\uff5e"],
      [3, "a", "b\u{1F600}"],
      [3, "a\uff5e", "a"],
      [3, "a\u{1F600}", "a"],
      [4, "", ""],
      [1_700_000_000_000, "a", "c"],
    ];
    const shuffled = [7, 2, 9, 0, 5, 3, 8, 1, 6, 4].map((at) => ({ at, place: places[at]! }));
    for (const { at, place } of shuffled) {
      const [dueAt, key, name] = place;
      await commitWork(store, owner, working(key, 0, { timersSet: [timer(at + 1, key, { dueAt, name })] }));
    }
    for (const limit of [1, 2, 3, 10, 11]) {
      const { rows } = await walk(
        store,
        limit,
        (after) => ({ kind: "timers", shard, after: after as Extract<PageRead, { kind: "timers" }>["after"], limit }),
        (result) => (result?.kind === "timers" ? result.page : assert.fail()),
        null,
      );
      assert.deepEqual(
        rows.map(({ dueAt, key, name }) => [dueAt, key, name]),
        places,
      );
    }
  });

  test("a shard without pending work, and one that does not exist, has empty pages", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    for (const shard of [owner.shard, { service: service(), number: 0 }]) {
      const results = await store.read([
        { kind: "inboxOf", shard, key: "alice", after: 0, limit: 5 },
        { kind: "inbox", shard, after: 0, limit: 5 },
        { kind: "outbox", shard, after: 0, limit: 5 },
        { kind: "timers", shard, after: null, limit: 5 },
      ]);
      for (const result of results) {
        assert.ok("page" in result);
        assert.deepEqual(result.page, { rows: [], damaged: [], next: null });
      }
    }
  });
}

function movingTests(fixture: () => Fixture): void {
  test("a walk goes on where it was when rows before it go and rows behind it come", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    const { shard } = owner;
    const send = (...numbers: number[]) => {
      return commitWork(store, owner, working("alice", 0, { sent: numbers.map((number) => message(number, "alice")) }));
    };
    await send(1, 2, 3, 4);
    const read = async (after: number) => {
      const [result] = await store.read([{ kind: "outbox", shard, after, limit: 2 }]);
      assert.ok(result?.kind === "outbox");
      return [result.page.rows.map(({ number }) => number), result.page.next];
    };
    assert.deepEqual(await read(0), [[1, 2], 2]);
    await commitProgress(store, owner, { messagesSettled: [1, 2, 3] });
    await send(5);
    assert.deepEqual(await read(2), [[4, 5], 5]);
    assert.deepEqual(await read(5), [[], null]);
    assert.deepEqual(await read(4), [[5], null]);
  });

  test("a timer that is set later moves in the order, and is in it once", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    const { shard } = owner;
    const set = (key: string, generation: number, dueAt: number) => {
      return commitWork(store, owner, working(key, 0, { timersSet: [timer(generation, key, { dueAt })] }));
    };
    const order = async () => {
      const [result] = await store.read([{ kind: "timers", shard, after: null, limit: 10 }]);
      assert.ok(result?.kind === "timers");
      return result.page.rows.map(({ key, generation }) => `${key}${generation}`);
    };
    await set("a", 1, 10);
    await set("b", 2, 20);
    await set("a", 3, 30);
    assert.deepEqual(await order(), ["b2", "a3"]);
    await set("a", 4, 5);
    await set("b", 5, 20);
    assert.deepEqual(await order(), ["a4", "b5"]);
  });

  test("thousands of rows, with long journals, come page by page, each once", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    const { shard } = owner;
    const rows = 3_000;
    const sent = Array.from({ length: rows }, (_, at) => message(at + 1, "alice"));
    const timersSet = Array.from({ length: rows }, (_, at) =>
      timer(at + 1, "alice", { dueAt: at % 7, name: `#${at}` }),
    );
    await commitWork(store, owner, working("alice", 0, { sent, timersSet, accepted: [item(rows + 1, "alice")] }));
    const journal = Array.from({ length: rows }, (_, at) => entry(`call ${(at * 7919) % rows}`, `${at}`));
    await commitProgress(store, owner, { items: [attempt(rows + 1, 1, { journal })] });
    const outbox = await walk(
      store,
      1_000,
      (after) => ({ kind: "outbox", shard, after: after as number, limit: 1_000 }),
      (result) => (result?.kind === "outbox" ? result.page : assert.fail()),
      0,
    );
    assert.deepEqual(outbox.rows, sent);
    const timers = await walk(
      store,
      999,
      (after) => ({
        kind: "timers",
        shard,
        after: after as Extract<PageRead, { kind: "timers" }>["after"],
        limit: 999,
      }),
      (result) => (result?.kind === "timers" ? result.page : assert.fail()),
      null,
    );
    assert.equal(new Set(timers.rows.map(({ name }) => name)).size, rows);
    assert.deepEqual(timers.sizes, [999, 999, 999, 3]);
    const [found] = await store.read([{ kind: "inboxOf", shard, key: "alice", after: 0, limit: 1 }]);
    assert.ok(found?.kind === "inboxOf");
    assert.deepEqual(found.page.rows[0]?.journal, journal);
  });
}
