/** Nodes whose system files differ: each answers for what it hosts, and passes on what it does not know. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { command, defineInterface, defineSystem, implement, query } from "../../src/index.ts";
import type { AnySystem } from "../../src/service/model.ts";
import { counterSystem } from "../guarantees/counter-system.ts";
import type { TestNode, World } from "../guarantees/world.ts";
import { calm, wideWorld } from "./nodes.ts";

const Till = defineInterface("till", {
  key: z.string(),
  operations: { pay: command({ input: z.number(), output: z.number() }), sum: query({ output: z.number() }) },
});
const till = implement(Till, {
  state: { version: 1, initial: () => ({ sum: 0 }) },
  operations: {
    pay: (ctx, amount) => {
      ctx.state.sum += amount;
      return ctx.state.sum;
    },
    sum: (ctx) => ctx.state.sum,
  },
});
const Clock = defineInterface("clock", { operations: { hour: query({ output: z.number() }) } });
const clock = implement(Clock, { operations: { hour: () => 12 } });

function newerSystem(): AnySystem {
  const older = counterSystem();
  return {
    ...older,
    services: [...older.services, ...defineSystem({ name: older.name, services: [till, clock] }).services],
  };
}

/** One node of each system. */
async function startMixed(world: World): Promise<{ older: TestNode; newer: TestNode }> {
  const older = await world.begin({ system: counterSystem(), node: "node-1", linked: true });
  const newer = await world.begin({ system: newerSystem(), node: "node-2", linked: true });
  await world.until(older.started);
  await world.until(newer.started);
  await calm(world);
  return { older, newer };
}

async function call(
  world: World,
  node: TestNode,
  service: string,
  key: string | undefined,
  operation: string,
  input?: string,
) {
  const reply = await world.until(node.running.gateway.call({ service, key, operation, input, principal: "test" }));
  return reply.ok ? reply.output : `${reply.error.code}: ${reply.error.message}`;
}

test("a call of a keyed service that only another node hosts is answered there, once", async () => {
  await using world = wideWorld();
  const { older, newer } = await startMixed(world);
  assert.equal(await call(world, older, "till", "a", "pay", "5"), "5");
  assert.equal(await call(world, older, "till", "a", "sum"), "5");
  assert.equal(await call(world, newer, "till", "a", "sum"), "5");
});

test("a call of a stateless service that only another node hosts is answered there", async () => {
  await using world = wideWorld();
  const { older } = await startMixed(world);
  assert.equal(await call(world, older, "clock", undefined, "hour"), "12");
});

test("the node that hosts the service judges the call", async () => {
  await using world = wideWorld();
  const { older } = await startMixed(world);
  assert.match((await call(world, older, "till", "a", "pay", '"five"')) ?? "", /^invalid_argument: .*till\/a\.pay/);
  assert.match((await call(world, older, "till", "a", "refund", "5")) ?? "", /^unimplemented: .*till\.refund/);
  assert.match((await call(world, older, "nothing", "a", "pay", "5")) ?? "", /^not_found: no service nothing/);
});

test("each node says once that the other one runs another system file", async () => {
  await using world = wideWorld();
  const { older, newer } = await startMixed(world);
  await calm(world);
  for (const [node, other] of [
    [older, newer],
    [newer, older],
  ] as const) {
    const said = node.log.filter(({ message }) => message.includes("runs another system file"));
    assert.equal(said.length, 1);
    assert.match(said[0]!.message, new RegExp(`^${other.name} `));
  }
});

test("a node that gave no answers is asked again after a while, though nobody else hosts the service", async () => {
  await using world = wideWorld();
  const { older } = await startMixed(world);
  const held = world.network.hold("node-2", "node-1");
  const lost = Array.from({ length: 5 }, () => older.ask("hour", { service: "clock", timeoutMs: 300 }));
  await world.advance(300);
  assert.deepEqual(new Set(lost.map(({ answer }) => answer)), new Set(["deadline_exceeded (unknown)"]));
  assert.deepEqual(
    older.running.status().breakers.map(({ service, state }) => [service, state]),
    [["clock", "open"]],
  );
  held.release();
  await world.advance(300);
  assert.equal(await older.answer("hour", { service: "clock", timeoutMs: 100 }), "12");
  assert.deepEqual(older.running.status().breakers, []);
});
