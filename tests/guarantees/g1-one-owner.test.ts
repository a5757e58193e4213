/** G1: at most one node's commits for a shard are accepted at any time, and only the owner answers. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { CommitResult } from "../../src/ports/store.ts";
import { counterSystem, Gate } from "./counter-system.ts";
import { storeKinds, World } from "./world.ts";

const ttlMs = 2_000;
const marginMs = 200;

for (const kind of storeKinds) {
  describe(`G1, one owner (${kind})`, () => {
    test("a node whose lease was ended gets no commit accepted, answers nothing, and joins again", async () => {
      await using world = World.create(kind);
      const node = await world.start({ system: counterSystem() });
      assert.equal(await node.answer("add", { input: 5 }), "5");
      const { incarnation } = node.running;

      const commits = node.store.hold("commit");
      const add = node.ask("add", { input: 1 });
      await world.settle();
      assert.equal(commits.waiting, 1);
      const other = await world.connect();
      assert.deepEqual(await other.endLease({ node: "node-1", incarnation }), { ended: true });
      commits.release();
      await world.settle();

      assert.ok(node.store.commits.some(({ result }) => result.status === "ended"));
      assert.equal(await world.until(add), "6", "it ran again under the new lease, and only there");
      assert.ok(node.running.incarnation > incarnation);
      assert.equal(await node.answer("value"), "6");
    });

    test("a node whose shard went to another has its commit refused by the epoch, and says that nothing happened", async () => {
      await using world = World.create(kind);
      const node = await world.start({ system: counterSystem() });
      await node.answer("add", { input: 5 });
      const commits = node.store.hold("commit");
      const add = node.ask("add", { input: 1, timeoutMs: 300 });
      await world.settle();

      // Another member takes the shards while the first one still believes that they are its own.
      const other = await world.connect();
      const { incarnation, view } = await other.join({
        node: "node-2",
        address: null,
        hosts: [{ service: "counter", stateVersion: 1 }],
      });
      const shards = view.shards.filter(({ shard }) => shard.service === "counter");
      await other.release({ incarnation: node.running.incarnation, shards });
      await other.claim({ incarnation, expired: [], shards: shards.map(({ shard }) => shard) });
      commits.release();

      assert.equal(await world.until(add), "unavailable (not-happened)");
      assert.equal(node.store.commits.at(-1)?.result.status, "fenced");
      assert.equal(await node.answer("value", { timeoutMs: 300 }), "unavailable (not-happened)");
    });

    test("commits of an older epoch are refused even when the same node owns the shard again", async () => {
      await using world = World.create(kind);
      const node = await world.start({ system: counterSystem() });
      await node.answer("add", { input: 5 });
      // The node takes this commit for lost, while it is still on its way to the store.
      let deliver: () => Promise<CommitResult> = () => Promise.reject(new Error("nothing was sent"));
      node.store.commitsOnce(async (_batch, forward) => {
        deliver = forward;
        throw new Error("the connection was lost");
      });
      assert.equal(await node.answer("add", { input: 1, id: "one" }), "6");
      assert.equal((await deliver()).status, "fenced");
      assert.equal(await node.answer("value"), "6");
    });
  });
}

describe("G1, leases", () => {
  test("a claim waits until the old owner's counter has stood still for TTL + margin", async () => {
    await using world = World.create();
    const first = await world.start({ system: counterSystem() });
    await first.answer("add", { input: 5 });
    first.kill();
    const second = await world.begin({ system: counterSystem(), node: "node-2" });
    let ready = false;
    void second.started.then(() => {
      ready = true;
    });
    await world.advance(ttlMs + marginMs);
    assert.equal(ready, false, "what it watched began with its own first heartbeat");
    assert.equal(second.store.count("claim"), 0);
    await world.advance(ttlMs / 4 + 1);
    assert.equal(ready, true);
    assert.equal(await second.answer("value"), "5");
  });

  test("time in which the claimer could not write itself does not count", async () => {
    await using world = World.create();
    const first = await world.start({ system: counterSystem() });
    const second = await world.begin({ system: counterSystem(), node: "node-2" });
    await world.until(second.started);
    first.kill();
    await world.advance(ttlMs / 2);
    const claims = second.store.count("claim");
    const mend = second.store.cut("renew");
    await world.advance(ttlMs * 2);
    mend();
    await world.advance(ttlMs / 2);
    assert.equal(second.store.count("claim"), claims, "the gap of 2 TTL says nothing about the first node");
    await world.advance(ttlMs);
    assert.ok(second.store.count("claim") > claims);
  });

  test("a paused node answers nothing with its old lease, and comes back as a new member", async () => {
    await using world = World.create();
    const first = await world.start({ system: counterSystem() });
    const second = await world.start({ system: counterSystem(), node: "node-2" });
    await first.answer("add", { input: 5 });
    const { incarnation } = first.running;
    const command = first.ask("add", { input: 1, timeoutMs: 60_000 });
    first.pause();
    await world.advance(ttlMs * 3);
    assert.equal(await second.answer("add", { input: 10 }), "15");

    // It wakes up with everything that it had believed, and with clocks that have moved on.
    const renewals = first.store.hold("renew");
    first.resume();
    const query = first.ask("value", { timeoutMs: 60_000 });
    await world.settle();
    assert.equal(query.answer, undefined);
    assert.equal(command.answer, undefined);
    renewals.release();
    await world.advance(ttlMs);
    assert.ok(first.running.incarnation > incarnation, "an ended lease is never renewed");
    assert.equal(await second.answer("value"), "15", "the command of the paused node was not accepted");
  });

  test("a query's result is withheld when the lease ran out while its handler ran", async () => {
    const gate = new Gate();
    await using world = World.create();
    const node = await world.start({
      system: counterSystem({
        look: {
          slowly: async (ctx) => {
            await gate.pass();
            return ctx.state.value;
          },
        },
      }),
    });
    await node.answer("add", { input: 5 });
    const query = node.ask("look", { input: "slowly", timeoutMs: 60_000 });
    await world.settle();
    const mend = node.store.cut("renew");
    await world.advance(ttlMs);
    gate.open();
    await world.settle();
    assert.equal(query.answer, undefined, "read, but not to be told without a lease");
    mend();
    await world.advance(ttlMs / 4);
    assert.equal(query.answer, "5", "the lease was renewed, and the activation has been continuous");
  });

  test("a command's reply is withheld when the lease ran out while its commit was under way", async () => {
    await using world = World.create();
    const node = await world.start({ system: counterSystem() });
    await node.answer("add", { input: 5 });
    const commits = node.store.hold("commit", "answers");
    const add = node.ask("add", { input: 1, timeoutMs: 60_000 });
    await world.settle();
    const mend = node.store.cut("renew");
    await world.advance(ttlMs);
    commits.release();
    await world.settle();
    assert.equal(add.answer, undefined, "durable, but the commit renewed the lease from when it was sent");
    mend();
    await world.advance(ttlMs / 4);
    assert.equal(add.answer, "6");
  });

  test("a recorded reply is withheld as well when the lease has run out", async () => {
    await using world = World.create();
    const node = await world.start({ system: counterSystem() });
    assert.equal(await node.answer("add", { input: 5, id: "one" }), "5");
    const reads = node.store.hold("read");
    // Another entity keeps the repeat from the cache; its own lookup is held.
    const repeat = node.ask("add", { input: 5, id: "two", timeoutMs: 60_000 });
    await world.settle();
    assert.equal(repeat.answer, undefined);
    const mend = node.store.cut("renew");
    await world.advance(ttlMs);
    const cached = node.ask("add", { input: 5, id: "one", timeoutMs: 1_000 });
    await world.settle();
    assert.equal(cached.answer, undefined);
    await world.advance(1_000);
    assert.equal(cached.answer, "unavailable (not-happened)", "at its deadline");
    reads.release();
    mend();
    await world.advance(ttlMs / 4);
    assert.equal(repeat.answer, "10");
  });

  for (const [what, jump] of [
    ["the machine slept: its monotonic clock stood still", ttlMs * 2],
    ["the wall clock was set back: the monotonic one still counts", -3_600_000],
  ] as const) {
    test(`nothing is answered past the lease when ${what}`, async () => {
      await using world = World.create();
      const node = await world.start({ system: counterSystem() });
      await node.answer("add", { input: 5 });
      const mend = node.store.cut("renew");
      node.clock.jumpWall(jump);
      if (jump < 0) await world.advance(ttlMs);
      const query = node.ask("value", { timeoutMs: 60_000 });
      await world.settle();
      assert.equal(query.answer, undefined);
      mend();
      await world.advance(ttlMs / 4);
      assert.equal(query.answer, "5");
    });
  }

  test("a stateless service is not served either by a node whose lease has run out", async () => {
    await using world = World.create();
    const node = await world.start({ system: counterSystem() });
    const mend = node.store.cut("renew");
    await world.advance(ttlMs);
    const rate = node.ask("rate", { service: "rates", timeoutMs: 60_000 });
    await world.settle();
    assert.equal(rate.answer, undefined);
    mend();
    await world.advance(ttlMs / 4);
    assert.equal(rate.answer, "2");
  });
});
