/** Messages leave if and only if the change of their command is durable; each takes effect once (guarantee G5). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { answerLost, requestLost, storeFull } from "../guarantees/fault-store.ts";
import { storeKinds, type TestNode, World } from "../guarantees/world.ts";
import { mailSystem } from "./mail-system.ts";

const letters = (node: TestNode, key: string): Promise<string> => node.answer("letters", { service: "box", key });
const send = (to: string, ...texts: string[]) => ({ service: "post", key: "p", input: { to, texts } });

for (const kind of storeKinds) {
  test(`a message takes effect once, and its row goes (${kind})`, async () => {
    await using world = World.create(kind);
    const node = await world.start({ system: mailSystem() });
    assert.equal(await node.answer("send", send("b", "one", "two")), "done");
    await world.advance(100);
    assert.equal(await letters(node, "b"), '["p:one","p:two"]');
    const page = await (await world.connect()).read([{ kind: "outbox", shard: shardOf(node), after: 0, limit: 10 }]);
    assert.deepEqual(page[0]?.kind === "outbox" && page[0].page.rows, []);
  });
}

/** The shard of post "p" in a world of four shards. */
function shardOf(node: TestNode): { service: string; number: number } {
  const { batch } = node.store.commits.find(({ batch }) =>
    batch.shards.some(({ entities }) => entities.some(({ key, work }) => key === "p" && (work?.sent.length ?? 0) > 0)),
  )!;
  return batch.shards.find(({ shard }) => shard.service === "post")!.shard;
}

test("a message leaves after the commit of its command, never before", async () => {
  await using world = World.create();
  const node = await world.start({ system: mailSystem() });
  await letters(node, "b");
  const hold = node.store.hold("commit", "answers");
  void node.ask("send", send("b", "one"));
  await world.advance(200);
  assert.equal(node.ask("letters", { service: "box", key: "b" }).answer, undefined);
  assert.equal(await letters(node, "b"), "[]");
  assert.equal(
    node.store.commits.filter(({ batch }) => batch.shards.some(({ shard }) => shard.service === "box")).length,
    0,
  );
  hold.release();
  await world.advance(100);
  assert.equal(await letters(node, "b"), '["p:one"]');
});

test("a command that throws, or declares an error, sends nothing and sets nothing", async () => {
  await using world = World.create();
  const node = await world.start({ system: mailSystem() });
  assert.match(await node.answer("spoil", send("b", "one")), /internal/);
  assert.match(await node.answer("spoil", { ...send("b", "refused"), id: "x" }), /refused/);
  await world.advance(1_000);
  assert.equal(await letters(node, "b"), "[]");
  assert.equal(await node.answer("rung", { service: "post", key: "p" }), "[]");
});

test("what the store did not take is not sent; what it took and did not say so is sent by the next owner, once", async () => {
  await using world = World.create();
  const node = await world.start({ system: mailSystem() });
  assert.equal(await node.answer("send", send("b", "first")), "done");
  await world.advance(100);
  node.store.commitsOnce(storeFull);
  assert.match(await node.answer("send", send("b", "full")), /unavailable \(not-happened\)/);
  await world.advance(1_000);
  node.store.commitsOnce(requestLost);
  const lost = node.ask("send", { ...send("b", "lost"), timeoutMs: 500 });
  await world.advance(5_000);
  assert.match(await lost, /unknown/);
  assert.equal(await letters(node, "b"), '["p:first"]');
  node.store.commitsOnce(answerLost);
  const written = node.ask("send", { ...send("b", "written"), timeoutMs: 500 });
  await world.advance(5_000);
  assert.match(await written, /unknown/);
  assert.equal(await letters(node, "b"), '["p:first","p:written"]');
});

test("a repeat of a command under its id sends nothing again", async () => {
  await using world = World.create();
  const node = await world.start({ system: mailSystem() });
  for (let repeats = 0; repeats < 3; repeats++) await node.answer("send", { ...send("b", "one"), id: "k" });
  await world.advance(100);
  assert.equal(await letters(node, "b"), '["p:one"]');
});

test("a declared error of the receiver is an answer: the message is delivered", async () => {
  await using world = World.create();
  const node = await world.start({ system: mailSystem() });
  await node.answer("close", { service: "box", key: "b" });
  await node.answer("send", send("b", "one"));
  await world.advance(100);
  assert.equal(await letters(node, "b"), "[]");
  await world.advance(60_000);
  assert.ok(!node.logged(/parked/));
  assert.equal(pendingOf(node), 0);
});

function pendingOf(node: TestNode): number {
  return node.running.status().messagesPending;
}

test("services that send to each other in a circle come to an end when they stop sending", async () => {
  await using world = World.create();
  const node = await world.start({ system: mailSystem() });
  await node.answer("ping", { service: "post", key: "p", input: { to: "q", hops: 20 } });
  await world.advance(2_000);
  assert.equal(pendingOf(node), 0);
  const [entity] = await Promise.all([world.until(node.running.inspect("post", "p"))]);
  assert.deepEqual(entity.state, { sent: 11, rung: [] });
});

test("a delayed message leaves when it is due", async () => {
  await using world = World.create();
  const node = await world.start({ system: mailSystem() });
  await node.answer("send", { service: "post", key: "p", input: { to: "b", texts: ["later"], after: 60_000 } });
  await world.advance(59_000);
  assert.equal(await letters(node, "b"), "[]");
  await world.advance(2_000);
  assert.equal(await letters(node, "b"), '["p:later"]');
});

test("a full outbox makes send throw, and the command changes nothing", async () => {
  await using world = World.create();
  const closed = Promise.withResolvers<void>();
  const system = mailSystem({ put: () => closed.promise });
  const node = await world.start({ system, limits: { outboxLengthMax: 3 } });
  assert.equal(await node.answer("send", send("b", "1", "2", "3")), "done");
  await world.advance(100);
  assert.match(await node.answer("send", send("c", "4")), /resource_exhausted \(not-happened\)/);
  closed.resolve();
  await world.advance(1_000);
  assert.equal(await node.answer("send", send("c", "5")), "done");
  await world.advance(1_000);
  assert.equal(await letters(node, "b"), '["p:1","p:2","p:3"]');
  assert.equal(await letters(node, "c"), '["p:5"]');
});

test("one command may leave behind a bounded number of messages", async () => {
  await using world = World.create();
  const node = await world.start({ system: mailSystem(), limits: { sendsPerCommandMax: 2 } });
  assert.match(await node.answer("send", send("b", "1", "2", "3")), /resource_exhausted \(not-happened\)/);
  await world.advance(100);
  assert.equal(await letters(node, "b"), "[]");
});

test("a message to a durable command is delivered when that is accepted", async () => {
  await using world = World.create();
  const node = await world.start({ system: mailSystem() });
  await node.answer("file", send("b", "one"));
  await world.advance(1_000);
  assert.equal(await letters(node, "b"), '["p:one filed"]');
  assert.equal(pendingOf(node), 0);
});
