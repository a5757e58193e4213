/** A node that stops finishes what it accepted, flushes it, and gives its shards up. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SynodError } from "../../src/errors.ts";
import { counterSystem, Gate } from "./counter-system.ts";
import { storeKinds, type TestNode, World } from "./world.ts";

const gone = "unavailable (not-happened)";

/** Stops a node and says how long that took, in virtual ms. */
async function timeToStop(world: World, node: TestNode, drainMs: number): Promise<number> {
  const before = node.clock.monotonic();
  const stopped = node.running.stop(drainMs);
  await world.until(stopped);
  return node.clock.monotonic() - before;
}

for (const kind of storeKinds) {
  test(`a stop finishes, flushes and releases, and the next node serves at once (${kind})`, async () => {
    await using world = World.create(kind);
    const gate = new Gate();
    const act = {
      waits: async (ctx: { state: { value: number } }) => {
        await gate.pass();
        ctx.state.value += 1;
        return ctx.state.value;
      },
    };
    const node = await world.start({ system: counterSystem({ act }) });
    const running = node.ask("act", { input: "waits" });
    await world.settle();
    const stopped = node.running.stop(5_000);
    assert.equal(node.running.gateway.state, "draining");
    const queued = node.ask("add", { input: 10 });
    await world.advance(1_000);
    assert.equal(running.answer, undefined);
    gate.open();
    assert.deepEqual([await world.until(running), await world.until(queued)], ["1", "11"]);
    await world.until(stopped);
    assert.equal(node.running.gateway.state, "stopped");
    assert.equal(await world.until(node.running.stopped), undefined);
    assert.equal(await node.answer("value"), gone);
    assert.equal(await node.answer("rate", { service: "rates" }), gone);
    const view = await (await world.connect()).view();
    assert.deepEqual(view.members, []);
    assert.ok(view.shards.every(({ owner }) => owner === null));

    const next = await world.begin({ system: counterSystem() });
    await world.settle();
    assert.equal(next.running.gateway.state, "ready", "no lease had to be waited for");
    assert.equal(await next.answer("value"), "11");
  });
}

describe("stopping", () => {
  test("what does not end within the drain is cut: turns are dropped, queries and stateless calls given up", async () => {
    await using world = World.create();
    const hangs = (): Promise<never> => new Promise(() => {});
    const scripts = { act: { hangs }, look: { hangs }, serve: { hangs }, see: { hangs } };
    const node = await world.start({ system: counterSystem(scripts) });
    const timeoutMs = 300_000;
    const calls = [
      node.ask("act", { input: "hangs", timeoutMs }),
      node.ask("add", { input: 1, timeoutMs }),
      node.ask("look", { input: "hangs", timeoutMs }),
      node.ask("see", { service: "desk", input: "hangs", timeoutMs }),
      node.ask("serve", { service: "desk", input: "hangs", timeoutMs }),
    ];
    await world.settle();
    assert.ok((await timeToStop(world, node, 1_000)) <= 2_100);
    assert.deepEqual(
      calls.map(({ answer }) => answer),
      [gone, gone, gone, gone, "unavailable (unknown)"],
    );
  });

  test("a stop does not wait for ever for a store that does not answer, and says what is unknown", async () => {
    await using world = World.create();
    const node = await world.start({ system: counterSystem() });
    await node.answer("add", { input: 5 });
    const holds = (["commit", "endLease", "renew", "read"] as const).map((method) => node.store.hold(method));
    const timeoutMs = 300_000;
    const sent = node.ask("add", { input: 1, timeoutMs });
    await world.settle();
    const waiting = node.ask("add", { input: 1, timeoutMs });
    const loading = node.ask("value", { key: "b", timeoutMs });
    await world.settle();
    assert.ok((await timeToStop(world, node, 1_000)) <= 4_200, "two drains and a TTL");
    assert.deepEqual(
      [sent, waiting, loading].map(({ answer }) => answer),
      ["unavailable (unknown)", gone, gone],
    );
    for (const hold of holds) hold.release();
  });

  test("a call that waits for a lease or an owner ends with its node", async () => {
    await using world = World.create();
    const node = await world.start({ system: counterSystem() });
    const behind = await world.connect();
    const cuts = (["renew", "join", "claim"] as const).map((method) => node.store.cut(method));
    await behind.endLease({ node: "node-1", incarnation: node.running.incarnation });
    await world.advance(2_000);
    const call = node.ask("value", { timeoutMs: 300_000 });
    await world.settle();
    assert.equal(call.answer, undefined);
    await timeToStop(world, node, 500);
    assert.equal(call.answer, gone);
    for (const mend of cuts) mend();
  });

  test("a node that the store does not admit again stops, and says why", async () => {
    await using world = World.create();
    const node = await world.start({ system: counterSystem() });
    await node.answer("add", { input: 5 });
    const refusal = new SynodError("failed_precondition", "the store has become another one");
    node.store.intercept("join", () => Promise.reject(refusal));
    const behind = await world.connect();
    await behind.endLease({ node: "node-1", incarnation: node.running.incarnation });
    assert.equal(await world.until(node.running.stopped), refusal);
    assert.equal(await node.answer("value"), gone);
    assert.deepEqual((await behind.view()).members, []);
  });

  test("a stop while the node still starts leaves nothing behind", async () => {
    await using world = World.create();
    const dead = await world.start({ system: counterSystem(), node: "node-2" });
    dead.kill();
    const claims: number[] = [];
    const node = await world.begin({ system: counterSystem(), onJoined: (incarnation) => claims.push(incarnation) });
    await world.settle();
    assert.equal(claims.length, 1, "the supervisor knows which lease to end");
    const behind = await world.connect();
    await behind.endLease({ node: "node-2", incarnation: dead.running.incarnation });
    await world.until(node.started);
    await node.stop();
    assert.deepEqual((await behind.view()).members, []);
  });

  for (const [when, method, side, joins] of [
    ["before it joins again", "endLease", "requests", 1],
    ["while it joins again", "join", "answers", 2],
  ] as const) {
    test(`a stop ${when} leaves no member behind`, async () => {
      await using world = World.create();
      const node = await world.start({ system: counterSystem() });
      const behind = await world.connect();
      const hold = node.store.hold(method, side);
      await behind.endLease({ node: node.name, incarnation: node.running.incarnation });
      await world.advance(600);
      assert.equal(hold.waiting, 1);
      let over = false;
      const stopped = node.running.stop(0).then(() => {
        over = true;
      });
      await world.advance(300);
      assert.equal(over, false, "it stays until it has let go");
      hold.release();
      await world.until(stopped);
      assert.equal(node.store.count("join"), joins);
      assert.deepEqual((await behind.view()).members, []);
    });
  }

  test("a second process under the same node name does not take the first one's place", async () => {
    await using world = World.create();
    const first = await world.start({ system: counterSystem() });
    await first.answer("add", { input: 5 });
    const second = await world.begin({ system: counterSystem() });
    await assert.rejects(world.until(second.started), /another process runs as node-1 on this store, and is alive/);
    assert.equal(await first.answer("add", { input: 1 }), "6");
    const view = await (await world.connect()).view();
    assert.equal(view.members.length, 1, "and it has left again");
  });
});
