import assert from "node:assert/strict";
import { test } from "node:test";
import type { EntityChange } from "../../ports/store.ts";
import {
  batch,
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
import {
  attempt,
  commitProgress,
  commitWork,
  entry,
  item,
  itemsOf,
  message,
  nothingPending,
  pendingBatch,
  pendingOf,
  timer,
  working,
  workOf,
} from "./pending.ts";

/** Pending work: it comes and goes with the change that it belongs to, or with progress at the current epoch. */
export function workTests(fixture: () => Fixture): void {
  comingTests(fixture);
  goingTests(fixture);
  conflictTests(fixture);
  progressTests(fixture);
  passedOverTests(fixture);
  releaseTests(fixture);
  allOrNothingTests(fixture);
}

function comingTests(fixture: () => Fixture): void {
  test("what a change accepts, sends and sets is there with its state, as it was given, for every connection", async () => {
    const { store, other, service } = fixture();
    const owner = await own(store, service());
    const full = workOf({ accepted: [item(1, "alice")], sent: [message(2, "alice")], timersSet: [timer(3, "alice")] });
    const bare = workOf({
      accepted: [
        item(4, "bob", { input: null, keyTime: null, call: null, traceparent: null, parked: "{}", holdsTurn: true }),
      ],
      sent: [message(5, "bob", { target: null, input: null, traceparent: null, attempts: 3, parked: '{"code":"x"}' })],
      timersSet: [timer(6, "bob", { service: "receiver", target: "carol", input: null, traceparent: null, dueAt: -1 })],
    });
    await commitWork(store, owner, { ...put("alice", 0, 1), work: full }, { ...put("bob", 0, 1), work: bare });
    const rows = {
      items: [...full.accepted, ...bare.accepted],
      messages: [...full.sent, ...bare.sent],
      timers: [...bare.timersSet, ...full.timersSet],
    };
    for (const connection of [store, other]) {
      assert.deepEqual(await pendingOf(connection, owner), rows);
      assert.deepEqual(await itemsOf(connection, owner, "alice"), [{ ...full.accepted[0], journal: [] }]);
      assert.deepEqual(await itemsOf(connection, owner, "carol"), []);
    }
    assert.deepEqual(await readRow(store, owner.shard, "alice"), rowAt(1));
  });

  test("pending work belongs to its shard: the same numbers and names in another one are others", async () => {
    const { store, service } = fixture();
    const name = service();
    const first = await own(store, name);
    const shard = { service: name, number: 1 };
    const second = { ...first, shard, epoch: await claim(store, first.incarnation, shard) };
    const work = { accepted: [item(1, "alice")], sent: [message(2, "alice")], timersSet: [timer(3, "alice")] };
    for (const owner of [first, second]) await commitWork(store, owner, working("alice", 0, work));
    const released = [{ key: "alice", name: "hold", generation: 3, message: message(4, "alice") }];
    await commitProgress(store, first, { itemsDropped: [1], messagesSettled: [2], released });
    assert.deepEqual(await pendingOf(store, first), { ...nothingPending, messages: [message(4, "alice")] });
    const { accepted, sent, timersSet } = work;
    assert.deepEqual(await pendingOf(store, second), { items: accepted, messages: sent, timers: timersSet });
  });

  test("text in pending work comes back as it went in", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    const texts = ["__proto__", "", "'; --", "a\u0308", "\u{1F600}", "\u0001", "x".repeat(200_000)];
    const entities = texts.map((text, at): EntityChange => {
      const [key, rest] = [
        `key ${at}`,
        { operation: text, input: text, principal: text, request: text, traceparent: text },
      ];
      const accepted = [item(at * 3 + 1, key, { ...rest, id: text, inputHash: text, parked: text })];
      const sent = [message(at * 3 + 2, key, { ...rest, service: text, target: text, parked: text })];
      const timersSet = [timer(at * 3 + 3, key, { ...rest, name: text, service: text, target: text })];
      return working(key, 0, { accepted, sent, timersSet });
    });
    await commitWork(store, owner, ...entities);
    const journal = texts.map((text) => ({ id: text, name: text, inputHash: text, outcome: text }));
    await commitProgress(store, owner, { items: [attempt(1, 1, { parked: texts[4]!, journal })] });
    const works = entities.map(({ work }) => work!);
    assert.deepEqual(await pendingOf(store, owner), {
      items: works
        .flatMap(({ accepted }) => accepted)
        .map((row) => (row.number === 1 ? { ...row, parked: texts[4] } : row)),
      messages: works.flatMap(({ sent }) => sent),
      timers: works.flatMap(({ timersSet }) => timersSet),
    });
    assert.deepEqual((await itemsOf(store, owner, "key 0"))[0]?.journal, journal);
  });

  test("pending work that was given and that was read are copies", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    const work = { accepted: [item(1, "alice")], sent: [message(2, "alice")], timersSet: [timer(3, "alice")] };
    const journal = [entry("a")];
    const answer = store.commit(
      pendingBatch(owner, { items: [attempt(1, 1, { journal })] }, working("alice", 0, work)),
    );
    const change = (...rows: readonly object[]): void => {
      for (const row of rows) Object.assign(row, { input: "changed", outcome: "changed" });
    };
    change(work.accepted[0]!, work.sent[0]!, work.timersSet[0]!, journal[0]!);
    assert.equal((await answer).status, "committed");
    const expected = { items: [item(1, "alice")], messages: [message(2, "alice")], timers: [timer(3, "alice")] };
    for (let round = 0; round < 2; round++) {
      const { items, messages, timers } = await pendingOf(store, owner);
      assert.deepEqual({ items, messages, timers }, expected);
      const [journaled] = await itemsOf(store, owner, "alice");
      assert.deepEqual(journaled, { ...item(1, "alice"), journal: [entry("a")] });
      change(items[0]!, messages[0]!, timers[0]!, journaled!, journaled!.journal[0]!);
    }
  });
}

function goingTests(fixture: () => Fixture): void {
  test("an item that is finished goes with its journal, and its record stays", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    await commitWork(store, owner, working("alice", 0, { accepted: [item(1, "alice"), item(2, "alice")] }));
    const items = [1, 2].map((number) => attempt(number, 2, { journal: [entry("a", "1"), entry("b")] }));
    await commitProgress(store, owner, { items });
    const outcome = record("item 1");
    await commitWork(store, owner, { ...put("alice", 0, 1, [outcome]), work: workOf({ finished: [1] }) });
    const { journal } = items[1]!;
    assert.deepEqual(await itemsOf(store, owner, "alice"), [{ ...item(2, "alice", { attempts: 2 }), journal }]);
    assert.deepEqual(await readRecord(store, owner.shard, "item 1"), outcome);
    await commitWork(store, owner, working("alice", 1, { accepted: [item(3, "alice")], finished: [2] }));
    assert.deepEqual(await itemsOf(store, owner, "alice"), [{ ...item(3, "alice"), journal: [] }]);
    // No owner uses a number twice; here it shows what was left behind under it.
    await commitWork(store, owner, working("alice", 1, { accepted: [item(1, "alice")] }));
    assert.deepEqual((await itemsOf(store, owner, "alice"))[0], { ...item(1, "alice"), journal: [] });
  });

  test("an item, and work besides, may belong to an entity without a row, and outlive the row that is cleared", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    const work = { accepted: [item(1, "alice")], sent: [message(2, "alice")], timersSet: [timer(3, "alice")] };
    await commitWork(store, owner, { ...put("alice", 0, 1), work: workOf(work) });
    await commit(store, owner, clear("alice", 1));
    assert.equal(await readRow(store, owner.shard, "alice"), null);
    const { accepted, sent, timersSet } = work;
    assert.deepEqual(await pendingOf(store, owner), { items: accepted, messages: sent, timers: timersSet });
  });

  test("a timer replaces the one of its name, and is cleared by its name; another entity's stays", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    const other = timer(1, "bob");
    await commitWork(
      store,
      owner,
      working("alice", 0, { timersSet: [timer(2, "alice")] }),
      working("bob", 0, { timersSet: [other] }),
    );
    const later = timer(3, "alice", { dueAt: 1_700_000_000_009, operation: "other", service: "receiver" });
    await commitWork(store, owner, working("alice", 0, { timersSet: [later], timersCleared: ["nothing"] }));
    assert.deepEqual((await pendingOf(store, owner)).timers, [other, later]);
    await commitWork(store, owner, working("alice", 0, { timersCleared: ["hold"] }));
    assert.deepEqual((await pendingOf(store, owner)).timers, [other]);
  });
}

function conflictTests(fixture: () => Fixture): void {
  test("finishing an item that is not there, or not the entity's, is a conflict, and nothing is written", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    await commitWork(store, owner, working("alice", 0, { accepted: [item(1, "alice")] }));
    for (const change of [
      { ...put("bob", 0, 1, [record("item 1")]), work: workOf({ finished: [1] }) },
      { ...put("alice", 0, 1, [record("item 2")]), work: workOf({ finished: [2] }) },
      { ...put("alice", 0, 1, [record("item 1")]), work: workOf({ finished: [1, 2], sent: [message(5, "alice")] }) },
    ]) {
      const result = await store.commit(pendingBatch(owner, null, put("carol", 0, 1), change));
      assert.deepEqual(result, { status: "conflict", entities: [{ shard: owner.shard, key: change.key }] });
    }
    assert.deepEqual(await pendingOf(store, owner), { ...nothingPending, items: [item(1, "alice")] });
    assert.equal(await readRow(store, owner.shard, "carol"), null);
    assert.equal(await readRecord(store, owner.shard, "item 1"), null);
    await commitWork(store, owner, working("alice", 0, { finished: [1] }));
    const again = await store.commit(pendingBatch(owner, null, working("alice", 0, { finished: [1] })));
    assert.equal(again.status, "conflict", "an item is finished once");
  });

  test("a number that is taken is a conflict, and what has it stays", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    await commitWork(store, owner, working("alice", 0, { accepted: [item(1, "alice")], sent: [message(2, "alice")] }));
    const before = await pendingOf(store, owner);
    for (const work of [{ accepted: [item(1, "bob")] }, { sent: [message(2, "bob")] }]) {
      const result = await store.commit(pendingBatch(owner, null, working("bob", 0, work)));
      assert.deepEqual(result, { status: "conflict", entities: [{ shard: owner.shard, key: "bob" }] });
    }
    assert.deepEqual(await pendingOf(store, owner), before);
  });

  test("work of a change on another version than the store's is not done", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    await commit(store, owner, put("alice", 0, 3));
    const work = { accepted: [item(1, "alice")], sent: [message(2, "alice")], timersSet: [timer(3, "alice")] };
    for (const version of [0, 2, 4]) {
      const result = await store.commit(pendingBatch(owner, null, working("alice", version, work)));
      assert.equal(result.status, "conflict");
    }
    assert.deepEqual(await pendingOf(store, owner), nothingPending);
  });

  test("of two commits that finish one item at the same time exactly one is taken", async () => {
    const { store, other, service } = fixture();
    const owner = await own(store, service());
    for (let number = 1; number <= 5; number++) {
      await commitWork(store, owner, working("alice", 0, { accepted: [item(number, "alice")] }));
      const finishing = pendingBatch(owner, null, working("alice", 0, { finished: [number] }));
      const results = await Promise.all([store, other, store].map((connection) => connection.commit(finishing)));
      assert.deepEqual(results.map(({ status }) => status).sort(), ["committed", "conflict", "conflict"]);
    }
  });
}

function progressTests(fixture: () => Fixture): void {
  test("progress replaces what is known of an item, and adds to its journal in the order of writing", async () => {
    const { store, other, service } = fixture();
    const owner = await own(store, service());
    await commitWork(store, owner, working("alice", 0, { accepted: [item(1, "alice")] }));
    const steps = [
      attempt(1, 1, { journal: [entry("b"), entry("a")] }),
      attempt(1, 2, { journal: [entry("a", '"done"'), entry("c")] }),
      attempt(1, 2, { parked: '{"code":"internal"}', holdsTurn: true }),
      attempt(1, 3, { journal: [{ ...entry("b"), name: "another", inputHash: "hash" }] }),
    ];
    const journals = [
      [entry("b"), entry("a")],
      [entry("b"), entry("a", '"done"'), entry("c")],
      [entry("b"), entry("a", '"done"'), entry("c")],
      [steps[3]!.journal[0], entry("a", '"done"'), entry("c")],
    ];
    for (const [at, step] of steps.entries()) {
      await commitProgress(store, owner, { items: [step] });
      const { attempts, parked, holdsTurn } = step;
      const expected = item(1, "alice", { attempts, parked, holdsTurn });
      assert.deepEqual(await itemsOf(other, owner, "alice"), [{ ...expected, journal: journals[at] }]);
      assert.deepEqual((await pendingOf(other, owner)).items, [expected]);
    }
  });

  test("an operator's drop removes an item with its journal, and no record comes of it", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    await commitWork(store, owner, working("alice", 0, { accepted: [item(1, "alice"), item(2, "alice")] }));
    await commitProgress(store, owner, { items: [attempt(1, 1, { journal: [entry("a")] })], itemsDropped: [1] });
    assert.deepEqual(await itemsOf(store, owner, "alice"), [{ ...item(2, "alice"), journal: [] }]);
    assert.equal(await readRecord(store, owner.shard, "item 1"), null);
    await commitWork(store, owner, working("alice", 0, { accepted: [item(1, "alice")] }));
    assert.deepEqual((await itemsOf(store, owner, "alice"))[0], { ...item(1, "alice"), journal: [] });
  });

  test("messages are counted, parked and settled, each by its number", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    await commitWork(store, owner, working("alice", 0, { sent: [1, 2, 3].map((number) => message(number, "alice")) }));
    const parked = '{"code":"internal","message":"it threw"}';
    const messages = [
      { number: 1, attempts: 4, parked: null },
      { number: 3, attempts: 9, parked },
    ];
    await commitProgress(store, owner, { messages, messagesSettled: [2] });
    const left = [message(1, "alice", { attempts: 4 }), message(3, "alice", { attempts: 9, parked })];
    assert.deepEqual((await pendingOf(store, owner)).messages, left);
    await commitProgress(store, owner, { messages: [{ number: 3, attempts: 0, parked: null }], messagesSettled: [1] });
    assert.deepEqual((await pendingOf(store, owner)).messages, [message(3, "alice")]);
  });

  test("progress comes after the changes of its batch: it may be about what they bring", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    const work = { accepted: [item(1, "alice")], sent: [message(2, "alice")] };
    const items = [attempt(1, 2, { journal: [entry("a")] })];
    const progress = { items, messages: [{ number: 2, attempts: 1, parked: null }] };
    assert.equal((await store.commit(pendingBatch(owner, progress, working("alice", 0, work)))).status, "committed");
    const { journal } = items[0]!;
    assert.deepEqual(await itemsOf(store, owner, "alice"), [{ ...item(1, "alice", { attempts: 2 }), journal }]);
    assert.deepEqual((await pendingOf(store, owner)).messages, [message(2, "alice", { attempts: 1 })]);
  });
}

function passedOverTests(fixture: () => Fixture): void {
  test("progress of what is not there is passed over, and leaves nothing behind", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    await commitProgress(store, owner, {
      items: [attempt(1, 7, { parked: "{}", journal: [entry("a")] })],
      itemsDropped: [2],
      messages: [{ number: 3, attempts: 7, parked: null }],
      messagesSettled: [4],
      released: [{ key: "alice", name: "hold", generation: 5, message: message(6, "alice") }],
    });
    assert.deepEqual(await pendingOf(store, owner), nothingPending);
    await commitWork(store, owner, working("alice", 0, { accepted: [item(1, "alice")] }));
    assert.deepEqual(await itemsOf(store, owner, "alice"), [{ ...item(1, "alice"), journal: [] }]);
  });

  test("progress of an item that the same batch finishes leaves no journal behind", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    await commitWork(store, owner, working("alice", 0, { accepted: [item(1, "alice")] }));
    const items = [attempt(1, 2, { journal: [entry("a")] })];
    const result = await store.commit(pendingBatch(owner, { items }, working("alice", 0, { finished: [1] })));
    assert.equal(result.status, "committed");
    await commitWork(store, owner, working("alice", 0, { accepted: [item(1, "alice")] }));
    assert.deepEqual(await itemsOf(store, owner, "alice"), [{ ...item(1, "alice"), journal: [] }]);
  });
}

function releaseTests(fixture: () => Fixture): void {
  const release = (generation: number, number: number) => {
    return { released: [{ key: "alice", name: "hold", generation, message: message(number, "alice") }] };
  };

  test("a timer turns into its message once, and only at its generation", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    await commitWork(store, owner, working("alice", 0, { timersSet: [timer(2, "alice")] }));
    await commitProgress(store, owner, release(1, 5));
    assert.deepEqual(await pendingOf(store, owner), { ...nothingPending, timers: [timer(2, "alice")] });
    await commitProgress(store, owner, release(2, 6));
    assert.deepEqual(await pendingOf(store, owner), { ...nothingPending, messages: [message(6, "alice")] });
    await commitProgress(store, owner, release(2, 7));
    assert.deepEqual((await pendingOf(store, owner)).messages, [message(6, "alice")]);
  });

  test("a timer that the same batch sets anew is not released, and one that it sets is", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    await commitWork(store, owner, working("alice", 0, { timersSet: [timer(1, "alice")] }));
    const anew = working("alice", 0, { timersSet: [timer(2, "alice")] });
    assert.equal((await store.commit(pendingBatch(owner, release(1, 5), anew))).status, "committed");
    assert.deepEqual(await pendingOf(store, owner), { ...nothingPending, timers: [timer(2, "alice")] });
    const again = working("alice", 0, { timersSet: [timer(3, "alice")] });
    assert.equal((await store.commit(pendingBatch(owner, release(3, 6), again))).status, "committed");
    assert.deepEqual(await pendingOf(store, owner), { ...nothingPending, messages: [message(6, "alice")] });
  });

  test("tries of a timer are counted at its generation only, and begin anew when it is set or cleared", async () => {
    const { store, other, service } = fixture();
    const owner = await own(store, service());
    const counted = (generation: number, attempts: number) => {
      return { timersCounted: [{ key: "alice", name: "hold", generation, attempts }] };
    };
    const shown = async (): Promise<readonly number[]> => {
      return (await pendingOf(other, owner)).timers.map(({ attempts }) => attempts);
    };
    await commitProgress(store, owner, counted(1, 1));
    await commitWork(
      store,
      owner,
      working("alice", 0, { timersSet: [timer(1, "alice"), timer(2, "alice", { name: "b" })] }),
    );
    assert.deepEqual(await shown(), [0, 0], "nothing is counted that was not there");
    await commitProgress(store, owner, counted(1, 1));
    await commitProgress(store, owner, counted(1, 2));
    await commitProgress(store, owner, counted(2, 7));
    const first = timer(1, "alice", { attempts: 2 });
    assert.deepEqual((await pendingOf(store, owner)).timers, [timer(2, "alice", { name: "b" }), first]);
    const anew = working("alice", 0, { timersSet: [timer(3, "alice")] });
    assert.equal((await store.commit(pendingBatch(owner, counted(1, 3), anew))).status, "committed");
    assert.deepEqual(await shown(), [0, 0], "another one of its name was not tried");
    await commitProgress(store, owner, counted(3, 1));
    await commitProgress(store, owner, counted(3, 0));
    assert.deepEqual(await shown(), [0, 0]);
    await commitProgress(store, owner, counted(3, 1));
    await commitWork(store, owner, working("alice", 0, { timersCleared: ["hold"] }));
    await commitWork(store, owner, working("alice", 0, { timersSet: [timer(4, "alice")] }));
    await commitProgress(store, owner, counted(4, 1));
    await commitProgress(store, owner, release(4, 8));
    assert.deepEqual(await pendingOf(store, owner), {
      ...nothingPending,
      messages: [message(8, "alice")],
      timers: [timer(2, "alice", { name: "b" })],
    });
  });

  test("a message that comes out of a timer may be parked at once, and settled later", async () => {
    const { store, service } = fixture();
    const owner = await own(store, service());
    await commitWork(store, owner, working("alice", 0, { timersSet: [timer(1, "alice")] }));
    const dead = message(2, "alice", { attempts: 5, parked: '{"code":"internal"}' });
    await commitProgress(store, owner, { released: [{ key: "alice", name: "hold", generation: 1, message: dead }] });
    assert.deepEqual((await pendingOf(store, owner)).messages, [dead]);
    await commitProgress(store, owner, { messagesSettled: [2] });
    assert.deepEqual(await pendingOf(store, owner), nothingPending);
  });
}

function allOrNothingTests(fixture: () => Fixture): void {
  test("a batch that is not written does nothing to pending work, whatever the reason", async () => {
    const { store, other, service } = fixture();
    const owner = await own(store, service());
    const start = { accepted: [item(1, "alice")], sent: [message(2, "alice")], timersSet: [timer(3, "alice")] };
    await commitWork(store, owner, working("alice", 0, start));
    const before = await pendingOf(other, owner);
    const stranger = await own(other, service());
    const { incarnation } = stranger;
    for (const [status, caller, change] of [
      ["fenced", { ...owner, epoch: owner.epoch - 1 }, null],
      ["fenced", { ...owner, epoch: owner.epoch + 1 }, null],
      ["fenced", { ...owner, incarnation }, null],
      ["ended", { ...owner, incarnation: incarnation + 1_000_000 }, null],
      ["conflict", owner, put("bob", 7, 8)],
      ["refused", owner, { ...put("bob", 0, 1), state: null }],
    ] as const) {
      const changed = await store.commit(everything(caller, change));
      assert.equal(changed.status, status, JSON.stringify(changed));
      assert.deepEqual(await pendingOf(other, owner), before);
      assert.deepEqual((await itemsOf(other, owner, "alice"))[0]?.journal, []);
    }
    assert.equal((await store.commit(everything(owner, null))).status, "committed");
    assert.notDeepEqual(await pendingOf(other, owner), before);
  });

  test("pending work outlives its owner: the next one finds all of it", async () => {
    const { store, other, service } = fixture();
    const owner = await own(store, service());
    const work = { accepted: [item(1, "alice")], sent: [message(2, "alice")], timersSet: [timer(3, "alice")] };
    await commitWork(store, owner, working("alice", 0, work));
    await commitProgress(store, owner, { items: [attempt(1, 2, { journal: [entry("a")] })] });
    await store.endLease(owner);
    const heir = await own(other, owner.shard.service);
    const [found] = await itemsOf(other, heir, "alice");
    assert.deepEqual(found, { ...item(1, "alice", { attempts: 2 }), journal: [entry("a")] });
    await commitWork(other, heir, working("alice", 0, { finished: [1], timersCleared: ["hold"] }));
    await commitProgress(other, heir, { messagesSettled: [2] });
    assert.deepEqual(await pendingOf(store, heir), nothingPending);
    assert.equal((await store.commit(batch(owner, note("alice", 0, [record("late")])))).status, "ended");
  });
}

/** Something of every kind, for the owner's shard, with a change besides. */
function everything(owner: Owner, change: EntityChange | null) {
  const work = { accepted: [item(10, "carol")], sent: [message(11, "carol")], timersSet: [timer(12, "carol")] };
  const finishing = { finished: [1], timersCleared: [] };
  const progress = {
    items: [attempt(1, 5, { journal: [entry("a")] })],
    messages: [{ number: 2, attempts: 5, parked: null }],
    released: [{ key: "alice", name: "hold", generation: 3, message: message(13, "alice") }],
  };
  const entities = [working("carol", 0, work), ...(change === null ? [] : [change]), working("alice", 0, finishing)];
  return pendingBatch(owner, progress, ...entities);
}
