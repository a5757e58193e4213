/** G6 under load: who waits, who goes first and who is turned away, and that nobody waits for ever. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { LoadLimits } from "../../src/core/load/limits.ts";
import { Counter, counterSystem, Gate, type Scripts } from "./counter-system.ts";
import { type TestNode, World } from "./world.ts";

const oneSlot = { slotsFirst: 1, slotsMin: 1, slotsMax: 1 };
const shed = "resource_exhausted (not-happened)";

async function startWith(load: Partial<LoadLimits>, scripts: Scripts = {}): Promise<{ world: World; node: TestNode }> {
  const world = World.create();
  const node = await world.start({ system: counterSystem(scripts), limits: { load } });
  return { world, node };
}

describe("calls under way", () => {
  test("are bounded: the next one waits until one has its answer, and queries and stateless calls count", async () => {
    const gate = new Gate();
    const { world, node } = await startWith(oneSlot, { act: { waits: () => gate.pass() } });
    await using _ = world;
    const held = node.ask("act", { input: "waits" });
    await world.settle();
    assert.deepEqual(node.running.status().load, { slotsTaken: 1, slotsLimit: 1, queued: 0, standing: false });
    const waiting = [node.ask("value", { key: "b" }), node.ask("rate", { service: "rates" })];
    await world.settle();
    assert.deepEqual(
      waiting.map(({ answer }) => answer),
      [undefined, undefined],
    );
    assert.equal(node.running.status().load.queued, 2);
    gate.open();
    assert.deepEqual(await Promise.all([held, ...waiting].map((call) => world.until(call))), ["done", "0", "2"]);
    assert.equal(node.running.status().load.slotsTaken, 0);
  });

  test("a command is under way until its change is durable", async () => {
    const { world, node } = await startWith(oneSlot);
    await using _ = world;
    const commits = node.store.hold("commit");
    const first = node.ask("add", { input: 1 });
    const second = node.ask("add", { input: 1 });
    await world.settle();
    assert.equal(node.running.status().load.queued, 1, "its handler has returned, and the store has not");
    commits.release();
    assert.deepEqual([await world.until(first), await world.until(second)], ["1", "2"]);
  });

  test("a handler that awaits a call holds no slot: a hundred of them with one slot all finish", async () => {
    const serve = {
      twice: async (ctx: Parameters<NonNullable<Scripts["serve"]>[string]>[0]) => {
        await ctx.to(Counter, "a").add(1);
        return ctx.to(Counter, "b").add(1);
      },
    };
    const { world, node } = await startWith(oneSlot, { serve });
    await using _ = world;
    const calls = Array.from({ length: 100 }, () => node.ask("serve", { service: "desk", input: "twice" }));
    const answers = await Promise.all(calls.map((call) => world.until(call)));
    assert.deepEqual(new Set(answers), new Set(Array.from({ length: 100 }, (_, index) => String(index + 1))));
    assert.equal(node.running.status().load.slotsTaken, 0);
  });

  test("calls of an admitted chain go ahead of whatever waits, and are not turned away", async () => {
    const gate = new Gate();
    const chain = new Gate();
    const { world, node } = await startWith(
      { ...oneSlot, queueLengthMax: 1 },
      {
        act: { waits: () => gate.pass() },
        serve: {
          chain: async (ctx) => {
            await chain.pass();
            return ctx.to(Counter, "chained").add(7);
          },
        },
      },
    );
    await using _ = world;
    const saga = node.ask("serve", { service: "desk", input: "chain" });
    await world.settle();
    const waiting = node.ask("add", { key: "b", input: 1 });
    assert.equal(await node.answer("add", { key: "c", input: 1 }), shed);
    chain.open();
    await world.settle();
    assert.equal(saga.answer, "7");
    assert.equal(await world.until(waiting), "1");
    gate.open();
  });

  test("what waits is turned away when its deadline passes, and certainly did not happen", async () => {
    const gate = new Gate();
    const { world, node } = await startWith(oneSlot, { act: { waits: () => gate.pass() } });
    await using _ = world;
    const held = node.ask("act", { input: "waits" });
    await world.settle();
    const late = node.ask("add", { key: "b", input: 1, timeoutMs: 400 });
    await world.advance(399);
    assert.equal(late.answer, undefined);
    await world.advance(26);
    assert.equal(late.answer, "deadline_exceeded (not-happened)");
    gate.open();
    await world.until(held);
    assert.equal(await node.answer("value", { key: "b" }), "0");
  });

  test("a caller that has gone waits no longer", async () => {
    const gate = new Gate();
    const { world, node } = await startWith(oneSlot, { act: { waits: () => gate.pass() } });
    await using _ = world;
    const held = node.ask("act", { input: "waits" });
    await world.settle();
    const caller = new AbortController();
    const gone = node.ask("add", { key: "b", input: 1, signal: caller.signal });
    await world.settle();
    caller.abort();
    await world.settle();
    assert.equal(gone.answer, "cancelled (not-happened)");
    assert.equal(node.running.status().load.queued, 0);
    gate.open();
    await world.until(held);
  });

  test("a node that stops sends away whoever waits", async () => {
    const { world, node } = await startWith(oneSlot, { act: { hangs: () => new Promise(() => {}) } });
    await using _ = world;
    const held = node.ask("act", { input: "hangs" });
    await world.settle();
    const waiting = node.ask("add", { key: "b", input: 1 });
    await node.stop(500);
    assert.equal(waiting.answer, "unavailable (not-happened)");
    assert.match(held.answer!, /^unavailable/);
  });
});

test("the gateway says beforehand who would be turned away, by what the call would take", async () => {
  const gate = new Gate();
  const { world, node } = await startWith(oneSlot, { act: { waits: () => gate.pass() } });
  await using _ = world;
  const { gateway } = node.running;
  const ask = { service: "counter", operation: "add", caller: "hot" };
  assert.equal(gateway.busy, false);
  const held = node.ask("act", { input: "waits" });
  await world.settle();
  const waiting = Array.from({ length: 300 }, () => node.ask("add", { principal: "hot", input: 1, timeoutMs: 1_000 }));
  await world.settle();
  assert.equal(gateway.busy, true);
  const refusal = gateway.refusal({ ...ask, timeoutMs: 20 });
  assert.deepEqual([refusal?.code, refusal?.outcome, refusal?.retryable], ["resource_exhausted", "not-happened", true]);
  assert.ok(refusal!.retryAfterMs! >= 100);
  assert.equal(gateway.refusal({ ...ask, timeoutMs: 20, caller: "light" }), undefined, "he has nothing in the queue");
  assert.equal(gateway.refusal({ ...ask, timeoutMs: 10_000 }), undefined);
  gate.open();
  await world.until(held);
  await Promise.all(waiting.map((call) => world.until(call)));
});
