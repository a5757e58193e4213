/** G1 across nodes: who is not the owner any more, or not a member, answers nothing and changes nothing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { CommitResult } from "../../src/ports/store.ts";
import { counterSystem, Gate, type Looking } from "../guarantees/counter-system.ts";
import { storeKinds } from "../guarantees/world.ts";
import { keyOf, Load, ownerOf, startNodes, wideWorld } from "./nodes.ts";

const ttlMs = 2_000;

test("an owner that was paused beyond its lease answers nothing, and its commits are refused", async () => {
  await using world = wideWorld();
  const [first, second] = await startNodes(world, ["node-1", "node-2"]);
  const key = await keyOf(second!);
  await first!.answer("add", { key, input: 5 });
  const commits = second!.store.hold("commit");
  const far = first!.ask("add", { key, input: 1, timeoutMs: 60_000 });
  const own = second!.ask("add", { key, input: 10, timeoutMs: 60_000 });
  const query = second!.ask("value", { key, timeoutMs: 60_000 });
  await world.settle();
  assert.equal(query.answer, "5", "before the pause");
  second!.pause();
  await world.advance(ttlMs * 2);
  assert.equal(await ownerOf(key, first!), "node-1");
  assert.equal(far.answer, "6", "repeated by its caller at the next owner");

  // It wakes with what it believed; the heartbeat that would tell it better is still on its way.
  const renewals = second!.store.hold("renew");
  second!.resume();
  commits.release();
  const late = second!.ask("value", { key, timeoutMs: 60_000 });
  await world.settle();
  const { result } = second!.store.commits.at(-1)!;
  assert.equal(result.status, "ended", "fenced by its lease");
  assert.equal(late.answer, undefined);
  assert.equal(own.answer, undefined);
  renewals.release();
  await world.advance(ttlMs);
  assert.match(await world.until(late), /^(6|16)$/, "what is true now, before or after the other call");
  assert.equal(await world.until(own), "16", "it ran again, once, where the key is now");
  assert.equal(await first!.answer("value", { key }), "16");
});

for (const kind of storeKinds) {
  test(`a commit that arrives when its shard has another owner is refused by its epoch (${kind})`, async () => {
    await using world = wideWorld(kind);
    const [first, second] = await startNodes(world, ["node-1", "node-2"]);
    const key = await keyOf(second!);
    await first!.answer("add", { key, input: 5 });
    // The owner takes it for lost while it is still on its way.
    let deliver: () => Promise<CommitResult> = () => Promise.reject(new Error("nothing was sent"));
    second!.store.commitsOnce(async (_batch, forward) => {
      deliver = forward;
      throw new Error("the connection to the store was lost");
    });
    assert.equal(await first!.answer("add", { key, input: 1 }), "6", "by the same owner, at its next epoch");
    await world.until(second!.running.drain(5_000));
    await world.advance(500);
    assert.equal(await ownerOf(key, first!), "node-1");
    assert.equal(await first!.answer("add", { key, input: 10 }), "16");
    assert.equal((await deliver()).status, "fenced");
    assert.equal(await first!.answer("value", { key }), "16");
  });
}

test("an owner that cannot renew withholds what its handlers return once its lease has run out", async () => {
  const gate = new Gate();
  const slowly = async (ctx: Looking): Promise<number> => {
    await gate.pass();
    return ctx.state.value;
  };
  await using world = wideWorld();
  const [first, second] = await startNodes(world, ["node-1", "node-2"], {
    system: counterSystem({ look: { slowly } }),
  });
  const key = await keyOf(second!);
  await first!.answer("add", { key, input: 5 });
  const query = second!.ask("look", { key, input: "slowly", timeoutMs: 60_000 });
  await world.settle();
  const mend = second!.store.cut("renew");
  await world.advance(ttlMs * 2);
  assert.equal(await first!.answer("add", { key, input: 1 }), "6", "the next owner");
  gate.open();
  await world.settle();
  assert.equal(query.answer, undefined, "5 is not the truth any more");
  mend();
  await world.advance(ttlMs);
  assert.equal(await world.until(query), "6");
});

test("the keys of a node that is gone answer as soon as its lease has run out, without a heartbeat more", async () => {
  await using world = wideWorld();
  const [first, second] = await startNodes(world, ["node-1", "node-2"]);
  const key = await keyOf(second!);
  await first!.answer("add", { key, input: 5 });
  second!.kill();
  const call = first!.ask("value", { key, timeoutMs: 60_000 });
  const marginMs = 200;
  await world.advance(ttlMs + marginMs);
  assert.equal(call.answer, undefined);
  await world.advance(ttlMs / 4 + 50);
  assert.equal(call.answer, "5", "the counter stood still from the first heartbeat after its last renewal");
  const beats = first!.store.count("renew");
  await world.advance(ttlMs);
  assert.ok(first!.store.count("renew") - beats <= 5, "and heartbeats go on as before");
});

test("who finds that a lease has run out tells the others, who take their part at once", async () => {
  await using world = wideWorld();
  const [first, second] = await startNodes(world, ["node-1", "node-2"]);
  // Its heartbeats come between those of the others.
  await world.advance(230);
  const [third] = await startNodes(world, ["node-3"]);
  const keys = Array.from({ length: 100 }, (_, index) => `key-${index}`);
  const lost: string[] = [];
  for (const key of keys) if ((await ownerOf(key, first!)) === "node-2") lost.push(key);
  second!.kill();
  const calls = lost.map((key) => first!.ask("value", { key, timeoutMs: 60_000 }));
  const answered = (): number => calls.filter(({ answer }) => answer === "0").length;
  for (let waited = 0; answered() === 0 && waited < 4_000; waited += 10) await world.advance(10);
  await world.advance(20);
  assert.equal(answered(), lost.length);
  const owners = await Promise.all(lost.map((key) => ownerOf(key, first!)));
  assert.deepEqual([...new Set(owners)].sort(), [first!.name, third!.name]);
});

test("calls that are lost by the dozen do not keep a lease from running out", async () => {
  await using world = wideWorld();
  const [first, second] = await startNodes(world, ["node-1", "node-2"]);
  const keys = Array.from({ length: 40 }, (_, index) => `key-${index}`);
  // Each heartbeat takes its time, and every lost call asks for one.
  first!.store.intercept("renew", async (_request, forward) => {
    await new Promise<void>((resolve) => first!.clock.setTimer(20, resolve));
    return forward();
  });
  const load = new Load(world, () => [first!], keys, 30);
  await world.advance(515);
  const beats = first!.store.count("renew");
  second!.kill();
  await world.advance(3_000);
  assert.ok(first!.store.count("renew") - beats < 50, `${first!.store.count("renew") - beats} heartbeats in 3 s`);
  for (const key of keys) assert.equal(await ownerOf(key, first!), "node-1");
  await load.finish(first!);
});

test("a call of an incarnation that has ended is refused, and made again by the next one", async () => {
  await using world = wideWorld();
  const [first, second] = await startNodes(world, ["node-1", "node-2"]);
  const key = await keyOf(second!);
  const { incarnation } = first!.running;
  const renewals = first!.store.hold("renew");
  await (await world.connect()).endLease({ node: "node-1", incarnation });
  second!.running.refresh();
  await world.settle();
  // The first node knows nothing of it; its link is as good as ever.
  const call = first!.ask("add", { key, input: 5 });
  await world.settle();
  assert.equal(call.answer, undefined);
  const [asked, refused] = world.network.arrivals.slice(-2).map(({ frame }) => frame);
  assert.ok(asked?.kind === "call" && asked.incarnation === incarnation);
  assert.ok(refused?.kind === "reply" && refused.body.kind === "status" && refused.body.code === "aborted");
  assert.equal(second!.store.commits.length, 0);
  renewals.release();
  assert.equal(await world.until(call), "5");
  assert.ok(first!.running.incarnation > incarnation);
  assert.equal(await second!.answer("value", { key }), "5");
});

test("a store that shows an older epoch is not believed: nothing is claimed, and nothing served, at it", async () => {
  await using world = wideWorld();
  const [first, second] = await startNodes(world, ["node-1", "node-2"]);
  const key = await keyOf(second!);
  await first!.answer("add", { key, input: 5 });
  const { shard, epoch } = await second!.running.inspect("counter", key);
  const database = world.database!;
  const row = database.services.get("counter")![shard]!;
  assert.equal(row.epoch, epoch);
  // A failover to a replica that lagged: commits and claims of the last moments are gone.
  row.epoch -= 1;
  row.owner = null;
  row.entities.clear();
  database.revision += 1;
  await world.advance(1_000);
  for (const node of [first!, second!]) assert.ok(node.logged(/older epoch of shard counter/), node.name);
  assert.equal(row.owner, null, "nobody claims it");
  assert.equal(row.epoch, epoch - 1);
  for (const node of [first!, second!]) {
    for (const operation of ["add", "value"]) {
      const answer = await node.answer(operation, {
        key,
        input: operation === "add" ? 1 : undefined,
        timeoutMs: 2_500,
      });
      assert.match(answer, /^(unavailable|deadline_exceeded) /, operation);
    }
  }
  assert.equal(row.entities.size, 0);
  const other = await keyOf(second!, 0);
  assert.equal(await first!.answer("add", { key: other, input: 1 }), "1", "the other shards go on");
});

test("a view that is older than what another node said is no sign of a store that lost something", async () => {
  await using world = wideWorld();
  const [first, second, third] = await startNodes(world, ["node-1", "node-2", "node-3"]);
  const keys = Array.from({ length: 40 }, (_, index) => `key-${index}`);
  const before = await Promise.all(keys.map((key) => ownerOf(key, second!)));
  const releases = second!.store.hold("release");
  void second!.running.drain(5_000);
  await world.settle();
  // This view says that the second node drains and still owns; it is long on its way.
  const views = first!.store.hold("renew", "answers");
  first!.running.refresh();
  await world.settle();
  assert.equal(views.waiting, 1);
  releases.release();
  await world.advance(600);
  const after = await Promise.all(keys.map((key) => ownerOf(key, third!)));
  const moved = keys.find((_, index) => before[index] === "node-2" && after[index] === "node-3")!;
  const call = first!.ask("add", { key: moved, input: 5 });
  await world.advance(50);
  assert.equal(call.answer, "5");
  views.release();
  await world.advance(1_000);
  assert.equal(first!.logged(/older epoch/), false);
  for (const key of keys) assert.match(await first!.answer("value", { key }), /^\d$/);
});

test("a second process under the name of a node that lives is refused, and harms nobody", async () => {
  await using world = wideWorld();
  const nodes = await startNodes(world, ["node-1", "node-2"]);
  const keys = Array.from({ length: 40 }, (_, index) => `key-${index}`);
  const load = new Load(world, () => nodes, keys);
  await world.advance(300);
  const double = await world.begin({ system: nodes[0]!.system, node: "node-1", linked: true });
  await assert.rejects(world.until(double.started), /another process runs as node-1 on this store, and is alive/);
  await world.advance(1_000);
  for (const { running } of nodes) assert.ok(running.status().shardsOwned > 0);
  await load.finish(nodes[0]!);
});
