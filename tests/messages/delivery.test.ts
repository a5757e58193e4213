/** How messages are delivered: in order, each once, whatever dies or is away meanwhile (guarantees G4 and G5). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SynodError } from "../../src/errors.ts";
import { shardOf } from "../../src/values/hash.ts";
import { type TestNode, World } from "../guarantees/world.ts";
import { mailSystem, type Trouble } from "./mail-system.ts";

const letters = (node: TestNode, key: string): Promise<string> => node.answer("letters", { service: "box", key });
const send = (key: string, to: string, ...texts: string[]) => ({ service: "post", key, input: { to, texts } });
const numbers = (count: number): string[] => Array.from({ length: count }, (_, index) => String(index));
const expected = (from: string, count: number): string =>
  JSON.stringify(numbers(count).map((text) => `${from}:${text}`));

test("messages of one pair arrive in the order of their commands, also when the receiver fails in between", async () => {
  await using world = World.create();
  let calls = 0;
  const put = (): void => {
    calls += 1;
    if (calls % 3 === 0) throw new Error("not this time");
  };
  const node = await world.start({ system: mailSystem({ put }) });
  for (const text of numbers(20)) void node.ask("send", send("p", "b", text));
  await world.advance(60_000);
  assert.equal(await letters(node, "b"), expected("p", 20));
});

test("a message on which its receiver fails is parked with the reason after its attempts, and its pair goes on", async () => {
  await using world = World.create();
  const tries: number[] = [];
  const put = (_key: string, text: string): void => {
    if (text !== "poison") return;
    tries.push(0);
    throw new Error("it chokes on this");
  };
  const node = await world.start({ system: mailSystem({ put }), limits: { deliveryAttemptsMax: 4 } });
  await node.answer("send", send("p", "b", "before", "poison", "after"));
  await world.advance(120_000);
  assert.equal(await letters(node, "b"), '["p:before","p:after"]');
  assert.equal(tries.length, 4);
  const [parked] = (await world.until(node.running.work({ boxes: ["outbox"], parked: true }))).work;
  assert.equal(parked?.attempts, 4);
  const { code, message, at, thrown } = parked!.parked!;
  assert.equal(code, "internal");
  assert.match(message, /box\/b\.put failed/);
  assert.match(thrown!, /^Error: it chokes on this, at .*delivery\.test\.ts:\d+/, "for operators");
  assert.ok(at > 0);
});

test("what a handler threw comes with the reason from another node as well, and is not said to callers", async () => {
  await using world = World.create();
  const put = (): void => {
    throw new Error("it chokes on this");
  };
  const limits = { deliveryAttemptsMax: 2 };
  const nodes: TestNode[] = [];
  for (const node of ["node-1", "node-2"]) {
    nodes.push(await world.start({ system: mailSystem({ put }), node, linked: true, limits }));
  }
  await world.advance(10_000);
  // Keys of which some are on one node, and some on the other.
  const keys = numbers(12);
  for (const key of keys) await nodes[0]!.answer("send", send(key, `to-${key}`, "poison"));
  await world.advance(120_000);
  const { work } = await world.until(nodes[0]!.running.work({ boxes: ["outbox"], parked: true }));
  assert.equal(work.length, keys.length);
  for (const { parked } of work) assert.match(parked!.thrown!, /^Error: it chokes on this, at /);
  for (const node of nodes) {
    const reply = await node.reply("put", { service: "box", key: "to-1", input: { from: "1", text: "poison" } });
    assert.ok(!reply.ok && reply.error.code === "internal");
    assert.doesNotMatch(JSON.stringify(reply), /chokes/);
  }
});

test("a message whose durable command was accepted has arrived, though the command is parked when it is repeated", async () => {
  const file = (): void => {
    throw new Error("no such drawer");
  };
  const schedule = { attemptsMax: 2, ageMaxMs: 600_000, backoffBaseMs: 10, backoffMaxMs: 10 };
  await using world = World.create();
  const first = await world.start({ system: mailSystem({ file }), limits: { schedule } });
  // The row of the message stays, as if its owner had died before the acceptance came back.
  first.store.intercept("commit", (batch, forward) => {
    const settles = batch.shards.some(({ progress }) => (progress?.messagesSettled.length ?? 0) > 0);
    return settles ? Promise.resolve({ status: "failed", error: new SynodError("unavailable", "no") }) : forward();
  });
  await first.answer("file", send("p", "b", "deed"));
  const pending = async (node: TestNode) => (await world.until(node.running.work({ boxes: ["inbox", "outbox"] }))).work;
  await world.advance(5_000);
  assert.deepEqual(
    (await pending(first)).map(({ box, parked }) => [box, parked !== null]),
    [
      ["inbox", true],
      ["outbox", false],
    ],
  );
  first.kill();
  const second = await world.start({ system: mailSystem({ file }), limits: { schedule }, node: "node-2" });
  await world.advance(120_000);
  assert.deepEqual(
    (await pending(second)).map(({ box, parked }) => [box, parked !== null]),
    [["inbox", true]],
    "one thing that failed is parked once",
  );
});

test("a receiver that takes nothing blocks its own pairs only, however many they are", async () => {
  await using world = World.create();
  const open = Promise.withResolvers<void>();
  const put = (key: string): Promise<void> | undefined => (key.startsWith("shut") ? open.promise : undefined);
  const limits = { deliveriesPerShardMax: 8 };
  const node = await world.start({ system: mailSystem({ put }), limits });
  for (let number = 0; number < 50; number++) await node.answer("send", send("p", `shut${number}`, "x", "y"));
  // Each has its first attempt before it counts as a pair in trouble.
  await world.advance(120_000);
  await node.answer("send", send("p", "b", "through"));
  await world.advance(50);
  assert.equal(await letters(node, "b"), '["p:through"]');
  open.resolve();
  await world.advance(300_000);
  assert.equal(await letters(node, "shut49"), '["p:x","p:y"]');
});

/** Two nodes; whoever is killed is replaced, and time passes until everything has come to rest. */
async function withKills(kill: (world: World, nodes: readonly TestNode[]) => Promise<void>, trouble: Trouble = {}) {
  const world = World.create();
  const nodes: TestNode[] = [];
  for (const node of ["node-1", "node-2"]) {
    nodes.push(await world.start({ system: mailSystem(trouble), node, linked: true }));
  }
  await world.advance(3_000);
  for (const text of numbers(30)) {
    for (const key of ["p", "q"]) void nodes[0]!.ask("send", send(key, `of-${key}`, text));
    await world.advance(1);
  }
  await kill(world, nodes);
  return world;
}

for (const victim of [0, 1]) {
  test(`a node that dies at any moment loses no message and doubles none (node ${victim + 1})`, async () => {
    for (const afterMs of [0, 1, 2, 5, 20]) {
      await using world = await withKills(async (world, nodes) => {
        await world.advance(afterMs);
        nodes[victim]!.kill();
        await world.advance(20_000);
      });
      const survivor = world.nodes[1 - victim]!;
      for (const key of ["p", "q"]) {
        const got = JSON.parse(await letters(survivor, `of-${key}`)) as string[];
        const { state } = await world.until(survivor.running.inspect("post", key));
        assert.equal(got.length, (state as { sent: number }).sent, `${key}: every committed message, and no other`);
        const order = got.map((letter) => Number(letter.split(":")[1]));
        assert.deepEqual(
          order,
          order.toSorted((a, b) => a - b),
          "in their order",
        );
      }
      assert.equal(survivor.running.status().messagesPending, 0);
    }
  });
}

test("a handoff moves what waits: the former owner stops delivering, the next one goes on", async () => {
  await using world = World.create();
  const first = await world.start({ system: mailSystem(), node: "node-1", linked: true });
  await world.advance(1_000);
  for (const text of numbers(50)) void first.ask("send", send("p", "b", text));
  const second = await world.begin({ system: mailSystem(), node: "node-2", linked: true });
  await world.until(second.started);
  await world.advance(10_000);
  await first.stop();
  await world.advance(10_000);
  assert.equal(await letters(second, "b"), expected("p", 50));
});

for (const [operation, letter] of [
  ["send", "p:one"],
  ["file", "p:one filed"],
] as const) {
  test(`what was delivered twice the window before its sender could say so is not done again (${operation})`, async () => {
    await using world = World.create();
    const window = 60_000;
    const limits = { retentionMs: window, trimIntervalMs: 1_000 };
    const first = await world.start({ system: mailSystem(), limits });
    let held = 0;
    first.store.intercept("commit", (batch, forward) => {
      if (!batch.shards.some(({ progress }) => (progress?.messagesSettled.length ?? 0) > 0)) return forward();
      held += 1;
      return new Promise(() => {});
    });
    assert.equal(await first.answer(operation, send("p", "b", "one")), "done");
    await world.advance(500);
    assert.equal(await letters(first, "b"), JSON.stringify([letter]));
    assert.equal(held, 1, "it is delivered, and the store does not know");
    first.kill();
    const second = await world.begin({ system: mailSystem(), node: "node-2", limits });
    const blocked = second.store.intercept("read", (reads, forward) =>
      reads.some(({ kind }) => kind === "outbox") ? Promise.reject(new Error("the outbox cannot be read")) : forward(),
    );
    await world.until(second.started);
    await world.advance(2 * window);
    blocked();
    await world.advance(10_000);
    assert.equal(await letters(second, "b"), JSON.stringify([letter]));
    assert.equal(second.running.status().messagesPending, 0);
  });
}

test("a number is promised away only when its row is gone: a sender that dies before that finds its receiver's record", async () => {
  await using world = World.create();
  const limits = { deliveriesPerShardMax: 1 };
  const [first, second] = [
    await world.start({ system: mailSystem(), node: "node-1", linked: true, limits }),
    await world.start({ system: mailSystem(), node: "node-2", linked: true, limits }),
  ];
  await world.advance(5_000);
  const ownedBy = async (service: string, owner: string): Promise<{ key: string; shard: number }[]> => {
    const keys: { key: string; shard: number }[] = [];
    for (let number = 0; number < 40; number++) {
      const entity = await world.until(first.running.inspect(service, `k${number}`));
      if (entity.owner === owner) keys.push({ key: `k${number}`, shard: entity.shard });
    }
    return keys;
  };
  const [sender] = await ownedBy("post", "node-1");
  const boxes = await ownedBy("box", "node-2");
  const [one, other] = boxes.filter(({ shard }) => shard === boxes[0]!.shard);
  let held = 0;
  first.store.intercept("commit", (batch, forward) => {
    if (!batch.shards.some(({ progress }) => (progress?.messagesSettled.length ?? 0) > 0)) return forward();
    held += 1;
    return new Promise(() => {});
  });
  for (const to of [one!.key, other!.key]) void first.ask("send", send(sender!.key, to, "x"));
  await world.advance(200);
  assert.equal(held, 1, "both are delivered, and the store does not know");
  first.kill();
  await world.advance(20_000);
  for (const { key } of [one!, other!]) assert.equal(await letters(second, key), `["${sender!.key}:x"]`);
  assert.equal(second.running.status().messagesPending, 0, "their repeats were answered");
});

test("a receiver that is away for twice the window gets everything once, and nobody else's records pile up", async () => {
  await using world = World.create();
  let away = true;
  const put = (key: string): Promise<void> | undefined => (key === "away" && away ? new Promise(() => {}) : undefined);
  const window = 60_000;
  const limits = { retentionMs: window, trimIntervalMs: 1_000 };
  const node = await world.start({ system: mailSystem({ put }), limits });
  for (const text of numbers(100)) await node.answer("send", send("p", "away", text));
  for (let rounds = 0; rounds < 200; rounds++) {
    await node.answer("send", send("p", `b${rounds % 7}`, "x"));
    await world.advance((2 * window) / 200);
  }
  const others = recordsOf(world).filter(({ name }) => name !== `box/${shardOf("box", "away", 4)}`);
  for (const { name, records } of others) assert.ok(records <= 40, `${name} keeps ${records} records`);
  away = false;
  await world.advance(60_000);
  assert.equal(await letters(node, "away"), expected("p", 100));
});

test("records do not pile up: an hour of sending leaves a few rows for each pair of shards", async () => {
  await using world = World.create();
  const node = await world.start({ system: mailSystem() });
  for (let minute = 0; minute < 60; minute++) {
    for (const text of numbers(20)) void node.ask("send", send(`p${minute % 5}`, `b${Number(text) % 10}`, text));
    await world.advance(60_000);
  }
  const commands = 60 * 20;
  const kept = recordsOf(world).reduce((sum, { records }) => sum + records, 0);
  // At most what each of 4 sending shards sent last to each of 4 receiving ones.
  assert.ok(kept <= commands / 10, `${kept} records after ${commands} messages`);
});

function recordsOf(world: World): readonly { readonly name: string; readonly records: number }[] {
  return shardsOf(world).map(({ name, row }) => ({ name, records: row.records.size }));
}

function shardsOf(world: World) {
  return [...world.database!.services].flatMap(([service, rows]) =>
    rows.map((row, number) => ({ name: `${service}/${number}`, row })),
  );
}

test("a send costs no store round trip of its own", async () => {
  const commits = async (operation: "send" | "nothing"): Promise<number> => {
    await using world = World.create();
    const node = await world.start({ system: mailSystem() });
    await letters(node, "b");
    const before = node.store.count("commit");
    for (let rounds = 0; rounds < 100; rounds++) {
      const texts = operation === "send" ? ["x"] : [];
      for (let calls = 0; calls < 10; calls++) void node.ask("send", send(`p${calls}`, `b${calls}`, ...texts));
      for (let calls = 0; calls < 10; calls++) {
        const input = { from: "c", text: "x" };
        void node.ask("put", { service: "box", key: `c${calls}`, input });
      }
      await world.settle();
    }
    return node.store.count("commit") - before;
  };
  const [without, withSends] = [await commits("nothing"), await commits("send")];
  assert.ok(withSends <= without * 2.2, `${withSends} commits with 1,000 sends, ${without} without`);
});

test("a failover with many pending messages reads them page by page, and delivers from the first page on", async () => {
  await using world = World.create("memory", 1);
  const put = (): Promise<void> => new Promise(() => {});
  const first = await world.start({ system: mailSystem({ put }), limits: { sendsPerCommandMax: 5_000 } });
  await first.answer("send", send("p", "b", ...numbers(2_000)));
  for (let number = 0; number < 20; number++) await first.answer("send", send("p", `c${number}`, "x"));
  first.kill();
  const second = await world.begin({ system: mailSystem(), node: "node-2" });
  const reads = second.store.hold("read");
  let pages = 0;
  let deliveredAfter: number | undefined;
  second.store.intercept("read", async (request, forward) => {
    pages += request.filter((read) => read.kind === "outbox" && read.limit > 1).length;
    return forward();
  });
  second.store.intercept("commit", async (batch, forward) => {
    if (batch.shards.some(({ shard }) => shard.service === "box")) deliveredAfter ??= pages;
    return forward();
  });
  reads.release();
  await world.until(second.started);
  await world.advance(120_000);
  assert.equal(await letters(second, "b"), expected("p", 2_000));
  assert.equal(await letters(second, "c19"), '["p:x"]');
  assert.ok(pages >= 4, `${pages} pages`);
  assert.ok(deliveredAfter! < pages, `delivered after ${deliveredAfter} of ${pages} pages`);
});

test("an operator retries a parked message, or drops it", async () => {
  await using world = World.create();
  let broken = true;
  const put = (): void => {
    if (broken) throw new Error("broken");
  };
  const node = await world.start({ system: mailSystem({ put }), limits: { deliveryAttemptsMax: 2 } });
  await node.answer("send", send("p", "b", "one", "two"));
  await world.advance(60_000);
  const { work: messages } = await world.until(node.running.work({ boxes: ["outbox"], parked: true }));
  assert.equal(messages.length, 2);
  const [one, two] = messages;
  broken = false;
  await world.until(node.running.operate(two!.id, "drop"));
  await world.until(node.running.operate(one!.id, "retry"));
  const told = node.log.filter(({ message }) => message.startsWith("an operator"));
  assert.deepEqual(
    told.map(({ level, message, fields }) => [level, message, fields!.id]),
    [
      ["warn", "an operator dropped the message box/b.put of post/p", two!.id],
      ["info", "an operator retries the message box/b.put of post/p", one!.id],
    ],
  );
  await world.advance(1_000);
  assert.equal(await letters(node, "b"), '["p:one"]');
  assert.deepEqual((await world.until(node.running.work({ boxes: ["outbox"] }))).work, []);
  await assert.rejects(world.until(node.running.operate(one!.id, "drop")), { code: "not_found" });
});
