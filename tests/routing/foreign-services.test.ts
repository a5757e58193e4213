/** Nodes whose system files differ: each answers for what it hosts, and passes on what it does not know. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { command, defineInterface, defineSystem, implement, query } from "../../src/index.ts";
import type { AnySystem } from "../../src/service/model.ts";
import { counterSystem, Gate } from "../guarantees/counter-system.ts";
import type { TestNode, World } from "../guarantees/world.ts";
import { calm, startNodes, wideWorld } from "./nodes.ts";

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

function newerSystem(hour: () => number | Promise<number> = () => 12): AnySystem {
  const older = counterSystem();
  const clock = implement(Clock, { operations: { hour } });
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

/** A node that hosts no clock, and two that do. */
async function startThree(world: World): Promise<{ entry: TestNode; leaver: TestNode; stayer: TestNode }> {
  const [entry] = await startNodes(world, ["node-1"]);
  const [leaver, stayer] = await startNodes(world, ["node-2", "node-3"], { system: newerSystem() });
  return { entry: entry!, leaver: leaver!, stayer: stayer! };
}

function clockCallsTo(node: TestNode, world: World): number {
  const mine = ({ to, frame }: World["network"]["arrivals"][number]) =>
    to === node.name && frame.kind === "call" && frame.body.service === "clock";
  return world.network.arrivals.filter(mine).length;
}

test("a stateless call that comes to a node that has stopped is answered by another one", async () => {
  await using world = wideWorld();
  const { entry, leaver } = await startThree(world);
  // The one does not hear that the other leaves, and its lease stays in the view.
  const holds = [entry.store.hold("renew"), leaver.store.hold("endLease")];
  const stopped = leaver.running.stop(0);
  await world.advance(50);
  assert.equal(leaver.running.gateway.state, "stopped");
  const calls = Array.from({ length: 20 }, () => entry.ask("hour", { service: "clock" }));
  assert.deepEqual(new Set(await world.until(Promise.all(calls), 1_000)), new Set(["12"]));
  assert.ok(clockCallsTo(leaver, world) > 0, "some of them went there first");
  for (const hold of holds) hold.release();
  await world.until(stopped);
});

test("a stateless call that a node has not answered when it stops is answered by another one", async () => {
  await using world = wideWorld();
  const [entry] = await startNodes(world, ["node-1"]);
  const gate = new Gate();
  const system = newerSystem(async () => {
    await gate.pass();
    return 11;
  });
  const oneSlot = { load: { slotsFirst: 1, slotsMin: 1, slotsMax: 1 } };
  const [leaver] = await startNodes(world, ["node-2"], { system, limits: oneSlot });
  const calls = [1, 2].map(() => entry!.ask("hour", { service: "clock", timeoutMs: 20_000 }));
  await world.settle();
  assert.equal(gate.visits, 1, "one runs, the other one waits");
  await startNodes(world, ["node-3"], { system: newerSystem() });
  await world.until(leaver!.running.stop(100));
  assert.deepEqual(await world.until(Promise.all(calls)), ["12", "12"]);
});

test("a stateless call that comes to a node without a lease is answered by another one", async () => {
  await using world = wideWorld();
  const { entry, leaver } = await startThree(world);
  // It is to drop everything and join again, and does not come to tell the store that it has let go.
  const undo = leaver.store.intercept("renew", () => Promise.resolve({ status: "ended" }));
  const hold = leaver.store.hold("endLease");
  await world.advance(500);
  undo();
  assert.equal(hold.waiting, 1);
  const calls = Array.from({ length: 8 }, () => entry.ask("hour", { service: "clock", timeoutMs: 20_000 }));
  assert.deepEqual(new Set(await world.until(Promise.all(calls))), new Set(["12"]));
  assert.ok(clockCallsTo(leaver, world) > 0, "some of them went there first");
  hold.release();
});

test("stateless calls go to nodes that stay while there are any", async () => {
  await using world = wideWorld();
  const { entry, leaver, stayer } = await startThree(world);
  await world.until(leaver.running.drain(1_000));
  await calm(world);
  const before = clockCallsTo(leaver, world);
  for (let number = 0; number < 10; number++) assert.equal(await entry.answer("hour", { service: "clock" }), "12");
  assert.equal(clockCallsTo(leaver, world), before);
  await world.until(stayer.running.drain(1_000));
  await calm(world);
  assert.equal(await entry.answer("hour", { service: "clock" }), "12", "they serve as long as they are there");
});

test("a stateless call goes to a busy node rather than to one that cannot be reached", async () => {
  await using world = wideWorld();
  const [entry] = await startNodes(world, ["node-1"]);
  const gate = new Gate();
  const system = newerSystem(async () => {
    if (gate.visits === 0) await gate.pass();
    return 12;
  });
  await startNodes(world, ["node-2"], { system });
  const busy = entry!.ask("hour", { service: "clock" });
  await world.settle();
  assert.equal(gate.visits, 1);
  await startNodes(world, ["node-3"], { system: newerSystem() });
  const mend = world.network.part("node-1", "node-3");
  world.network.cut("node-1", "node-3");
  await world.settle();
  for (let number = 0; number < 10; number++) {
    assert.equal(await entry!.answer("hour", { service: "clock", timeoutMs: 50 }), "12");
  }
  mend();
  await world.advance(5_000);
  assert.equal(await entry!.answer("hour", { service: "clock", timeoutMs: 50 }), "12");
  assert.equal(clockCallsTo(world.nodes[2]!, world), 1, "the idle one is chosen again when its link is back");
  gate.open();
  assert.equal(await world.until(busy), "12");
});
