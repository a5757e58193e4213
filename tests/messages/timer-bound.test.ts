/** How many timers an entity may have: the bound is exact, whatever became of those that it had (guarantee G6). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { command, defineInterface, defineSystem, implement, query } from "synod";
import { z } from "zod";
import { activationBytes } from "../../src/runtime/entity-memory.ts";
import type { NodeLimits } from "../../src/runtime/limits.ts";
import { storeFull } from "../guarantees/fault-store.ts";
import { type TestNode, World } from "../guarantees/world.ts";

const Diary = defineInterface("diary", {
  key: z.string(),
  operations: {
    /** Sets timers, after it has cancelled others. */
    plan: command({
      input: z.object({ set: z.array(z.string()), cancel: z.array(z.string()).default([]), afterMs: z.number() }),
    }),
    /** Sends itself notes that arrive later. */
    later: command({ input: z.object({ notes: z.array(z.string()), afterMs: z.number() }) }),
    /** What a timer runs: notes its text, and sets another one for an hour later when it says so. */
    ring: command({ input: z.string() }),
    settle: command({ durable: true, input: z.array(z.string()) }),
    noted: query({ output: z.array(z.string()) }),
  },
});

const hourMs = 3_600_000;

const diary = implement(Diary, {
  sends: [Diary],
  state: { version: 1, initial: () => ({ noted: [] as string[] }) },
  operations: {
    plan: (ctx, { set, cancel, afterMs }) => {
      for (const name of cancel) ctx.timer(name).cancel();
      for (const name of set) ctx.timer(name).set({ after: afterMs }).ring(name);
    },
    later: (ctx, { notes, afterMs }) => {
      for (const note of notes) ctx.send(Diary, ctx.key, { after: afterMs }).ring(note);
    },
    ring: (ctx, text) => {
      if (text.startsWith("broken")) throw new Error("broken bell");
      ctx.state.noted.push(text);
      if (text.startsWith("next ")) ctx.timer(text.slice("next ".length)).set({ after: hourMs }).ring("at last");
    },
    settle: (ctx, names) => {
      for (const name of names) ctx.timer(name).set({ after: hourMs }).ring(name);
    },
    noted: (ctx) => ctx.state.noted,
  },
});

const system = defineSystem({ name: "test", services: [diary] });
const tooMany = "resource_exhausted (not-happened)";

const start = (world: World, limits: Partial<NodeLimits> = {}, node = "node-1") =>
  world.start({ system, node, limits: { timersPerEntityMax: 3, ...limits } });
const ask = (key: string, input?: unknown) => ({ service: "diary", key, ...(input !== undefined && { input }) });
const plan = (node: TestNode, set: string[], { key = "d", cancel = [] as string[], afterMs = hourMs } = {}) =>
  node.answer("plan", ask(key, { set, cancel, afterMs }));
const later = (node: TestNode, notes: string[], afterMs: number) => node.answer("later", ask("d", { notes, afterMs }));

/** That there is room for exactly so many more. */
async function assertRoom(node: TestNode, room: number, key = "d"): Promise<void> {
  const names = (count: number) => Array.from({ length: count }, (_, at) => `probe ${at}`);
  assert.equal(await plan(node, names(room + 1), { key }), tooMany, `no room for ${room + 1}`);
  assert.equal(await plan(node, names(room), { key }), "done", `room for ${room}`);
  assert.equal(await plan(node, [], { key, cancel: names(room) }), "done");
}

test("an entity at its bound gets no other timer, and its command changes nothing; a name is set anew, others go on", async () => {
  await using world = World.create();
  const node = await start(world);
  await assertRoom(node, 3);
  assert.equal(await plan(node, ["a", "b", "c"]), "done");
  const reply = await node.reply("plan", ask("d", { set: ["b", "d"], afterMs: 100 }));
  assert.ok(!reply.ok);
  const advice = "cancel those that are not needed, use one name again, or spread them over several keys";
  const expected = `diary/d has 3 timers and messages that leave later, the most that an entity may have: ${advice}`;
  assert.deepEqual([reply.error.code, reply.error.message], ["resource_exhausted", expected]);
  await world.advance(1_000);
  assert.equal(await node.answer("noted", ask("d")), "[]", "b was not set anew");
  assert.equal(await plan(node, ["b"], { afterMs: 100 }), "done");
  assert.equal(await plan(node, ["a", "b", "c"], { key: "other" }), "done");
  await world.advance(1_000);
  assert.equal(await node.answer("noted", ask("d")), '["b"]');
  await assertRoom(node, 1);
});

test("what a command cancels makes room for what it sets, and a name that it sets twice counts once", async () => {
  await using world = World.create();
  const node = await start(world);
  await plan(node, ["a", "b", "c"]);
  assert.equal(await plan(node, ["d"], { cancel: ["a"] }), "done");
  assert.equal(await plan(node, ["d"], { cancel: ["d", "never"] }), "done");
  assert.equal(await plan(node, ["e"], { cancel: ["never"] }), tooMany);
  assert.equal(await plan(node, ["e", "e"], { cancel: ["b", "c"] }), "done");
  await assertRoom(node, 1);
});

test("messages that leave later count until they have left", async () => {
  await using world = World.create();
  const node = await start(world);
  assert.equal(await later(node, ["1", "2", "3", "4"], 1_000), tooMany);
  assert.equal(await later(node, ["1", "2"], 1_000), "done");
  await assertRoom(node, 1);
  await world.advance(2_000);
  assert.equal(await node.answer("noted", ask("d")), '["1","2"]');
  await assertRoom(node, 3);
});

test("the command of a timer has the room of that timer; of a durable command its acceptance makes it", async () => {
  await using world = World.create();
  const node = await start(world);
  await plan(node, ["a", "b"]);
  await plan(node, ["next c"], { afterMs: 100 });
  await world.advance(1_000);
  assert.equal(await node.answer("noted", ask("d")), '["next c"]');
  await assertRoom(node, 0);
  assert.equal(await plan(node, [], { cancel: ["a"] }), "done");
  const settled = node.ask("settle", { ...ask("d", ["e"]), id: "one" });
  assert.equal(await world.until(settled), "done");
  await assertRoom(node, 0);
});

test("a timer that is parked gives its place back, also when it was set anew in vain meanwhile", async () => {
  await using world = World.create();
  const node = await start(world, { deliveryAttemptsMax: 2 });
  await plan(node, ["a"]);
  await plan(node, ["broken"], { afterMs: 100 });
  await world.advance(60_000);
  const { work } = await world.until(node.running.work({ boxes: ["outbox"], parked: true }));
  assert.equal(work.length, 1);
  await assertRoom(node, 2);
});

for (const [what, limits] of [
  ["that was put out of memory", { entityMemoryBytesMax: 1.2 * activationBytes }],
  ["whose node was lost", {}],
] as const) {
  test(`an entity ${what} knows how many timers it has, and its activation asks the store no more often`, async () => {
    await using world = World.create();
    let node = await start(world, limits);
    await plan(node, ["a", "b"]);
    await plan(node, ["x"], { key: "other" });
    assert.equal((await world.until(node.running.inspect("diary", "d"))).active, what.endsWith("lost"));
    if (what.endsWith("lost")) {
      node.kill();
      node = await start(world, limits, "node-2");
    }
    const reads = node.store.count("read");
    assert.equal(await node.answer("noted", ask("d")), "[]");
    assert.equal(node.store.count("read") - reads, 1, "state and timers in one reading");
    await assertRoom(node, 1);
  });
}

test("what was not written gives its places back, and takes away none", async () => {
  await using world = World.create();
  const node = await start(world);
  await plan(node, ["a", "b"]);
  const hold = node.store.hold("commit");
  node.store.commitsOnce(storeFull);
  const given = [plan(node, ["c"]), plan(node, [], { cancel: ["a"] }), plan(node, ["d", "a"], { cancel: ["b"] })];
  hold.release();
  assert.ok((await Promise.all(given)).every((answer) => answer !== "done"));
  await assertRoom(node, 1);
});

test("a message that leaves while its entity comes into memory is not counted", async () => {
  await using world = World.create();
  const node = await start(world, { entityMemoryBytesMax: 1.1 * activationBytes });
  await later(node, ["1", "2", "3"], 1_000);
  await plan(node, ["x"], { key: "other" });
  assert.equal((await world.until(node.running.inspect("diary", "d"))).active, false);
  const answers = node.store.hold("read", "answers");
  const noted = node.ask("noted", ask("d"));
  await world.settle();
  assert.equal(answers.waiting, 1, "it has been read with three timers");
  await world.advance(2_000);
  answers.release();
  await world.until(noted);
  await world.advance(2_000);
  await assertRoom(node, 3);
});
