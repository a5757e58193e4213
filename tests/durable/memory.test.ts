/** Where memory is scarce, what was accepted still gets done: those that it calls find room that nobody else may take. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { command, defineInterface, defineSystem, implement } from "synod";
import { z } from "zod";
import { activationBytes } from "../../src/runtime/entity-memory.ts";
import type { AnySystem } from "../../src/service/model.ts";
import { type Ask, type TestNode, World } from "../guarantees/world.ts";
import { Payment, type Running, Saga, Stock, sagaSystem } from "./saga-system.ts";

/** Room for three entities more. */
const chainOfThree = 3.4 * activationBytes;
/** Three entities from outside, and beyond that as many again. */
const limits = { entityMemoryBytesMax: 2.5 * activationBytes, chainMemoryBytesMax: chainOfThree };
const length = 8;
const impatient = { attemptsMax: 2, ageMaxMs: 600_000, backoffBaseMs: 10, backoffMaxMs: 10 };

/** Its durable command `take` fails until it is mended. */
function brokenSystem(): { readonly system: AnySystem; readonly mend: () => void } {
  let broken = true;
  const take = async (ctx: Running): Promise<string> => {
    if (broken) throw new Error("not yet");
    await ctx.to(Stock, ctx.key).take(1);
    return "done";
  };
  return {
    system: sagaSystem({ run: { take } }),
    mend: () => {
      broken = false;
    },
  };
}

/** Repeats what is turned away until it is done. */
async function insist(world: World, node: TestNode, operation: string, ask: Ask): Promise<string> {
  for (let tries = 0; tries < 300; tries++) {
    const answer = await node.answer(operation, { ...ask, timeoutMs: 60_000 });
    if (!answer.startsWith("resource_exhausted")) return answer;
    await world.advance(500);
  }
  throw new Error("it was always turned away");
}

test("durable commands that fill the memory are finished, because those they call find room", async () => {
  const both = async (ctx: Running) => {
    await ctx.to(Stock, ctx.key).take(1);
    await ctx.to(Payment, ctx.key).charge(5);
    return "done";
  };
  await using world = World.create();
  const node = await world.start({ system: sagaSystem({ run: { both } }), limits });
  const keys = Array.from({ length }, (_, number) => `s${number}`);
  const asked = keys.map((key) => insist(world, node, "run", { service: "saga", key, input: "both", id: key }));
  for (const answer of await Promise.all(asked)) assert.match(answer, /^"done"/);
  for (const key of keys) {
    assert.equal(await node.answer("taken", { service: "stock", key }), "[1]");
    assert.equal(await node.answer("charged", { service: "payment", key }), "[5]");
  }
});

test("durable commands that wait for durable commands are finished too, and leave room for whom these call", async () => {
  const system = sagaSystem({
    run: { take: (ctx) => ctx.to(Stock, ctx.key).take(1) },
    parent: { ask: (ctx) => ctx.to(Saga, ctx.key).run("take") },
  });
  await using world = World.create();
  const node = await world.start({ system, limits });
  const keys = Array.from({ length }, (_, number) => `p${number}`);
  const asked = keys.map((key) => insist(world, node, "run", { service: "parent", key, input: "ask", id: key }));
  for (const answer of await Promise.all(asked)) assert.match(answer, /^1/);
});

test("however deep durable commands wait for durable commands, those at the bottom find room", async () => {
  const depth = 5;
  const levels = Array.from({ length: depth }, (_, level) =>
    defineInterface(`level-${level}`, {
      key: z.string(),
      operations: { go: command({ durable: true, output: z.number() }) },
    }),
  );
  const services = levels.map((Level, level) => {
    const below = levels[level - 1];
    return implement(Level, {
      calls: below === undefined ? [] : [below],
      state: { version: 1, initial: () => 0 },
      operations: { go: async (ctx) => (below === undefined ? 0 : 1 + (await ctx.to(below, ctx.key).go())) },
    });
  });
  await using world = World.create();
  const system = defineSystem({ name: "tower", services });
  // Room for one entity and a little more at each level.
  const node = await world.start({
    system,
    limits: { entityMemoryBytesMax: 2.5 * activationBytes, chainMemoryBytesMax: depth * 1.17 * activationBytes },
  });
  const asked = Array.from({ length }, (_, number) => {
    return insist(world, node, "go", { service: `level-${depth - 1}`, key: `k${number}`, id: `k${number}` });
  });
  for (const answer of await Promise.all(asked)) assert.equal(answer, String(depth - 1));
});

test("what an earlier owner accepted is taken up and finished, however little memory there is", async () => {
  const { system, mend } = brokenSystem();
  await using world = World.create();
  const first = await world.start({ system, limits: { timeoutDefaultMs: 60_000 } });
  const keys = Array.from({ length }, (_, number) => `s${number}`);
  for (const key of keys) void first.ask("run", { service: "saga", key, input: "take", id: key });
  await world.advance(20);
  first.kill();
  await (await world.connect()).endLease({ node: first.name, incarnation: first.running.incarnation });
  mend();
  // Every entity is one too many: it has to go as soon as it is idle, and not before.
  const next = await world.start({ system, limits: { entityMemoryBytesMax: 1, chainMemoryBytesMax: chainOfThree } });
  await world.advance(10_000);
  for (const key of keys) assert.equal(await insist(world, next, "taken", { service: "stock", key }), "[1]", key);
});

test("what an operator has tried again runs, however little memory there is", async () => {
  const { system, mend } = brokenSystem();
  await using world = World.create();
  const limits = { entityMemoryBytesMax: 1, chainMemoryBytesMax: chainOfThree, schedule: impatient };
  const node = await world.start({ system, limits });
  await insist(world, node, "run", { service: "saga", key: "one", input: "take", id: "one" });
  await world.advance(1_000);
  mend();
  const { work } = await world.until(node.running.work({ boxes: ["inbox"], parked: true }));
  assert.equal(work.length, 1);
  // Another entity takes its place in memory, and so does whatever comes while it is tried again.
  await insist(world, node, "taken", { service: "stock", key: "two" });
  for (const { id } of work) await world.until(node.running.operate(id, "retry"));
  await world.advance(1_000);
  assert.equal(await insist(world, node, "taken", { service: "stock", key: "one" }), "[1]");
});
