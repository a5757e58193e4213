/** Load between nodes: nothing is sent into a hole, stateless calls go where there is less to do, ranks travel along. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Counter, counterSystem, Gate, type Scripts } from "../guarantees/counter-system.ts";
import type { TestNode, World } from "../guarantees/world.ts";
import { calm, keyOf, startNodes, wideWorld } from "./nodes.ts";

test("a target that gives no answers gets no more calls, and one that tries, after a while", async () => {
  await using world = wideWorld();
  const [first, second] = await startNodes(world, ["node-1", "node-2"]);
  const key = await keyOf(second!);
  const held = world.network.hold("node-2", "node-1");
  const lost = Array.from({ length: 5 }, () => first!.ask("value", { key, timeoutMs: 300 }));
  await world.advance(300);
  assert.deepEqual(new Set(lost.map(({ answer }) => answer)), new Set(["deadline_exceeded (not-happened)"]));
  assert.deepEqual(
    first!.running.status().breakers.map(({ node, service, state }) => [node, service, state]),
    [["node-2", "counter", "open"]],
  );
  const before = callsTo("node-2", world);
  assert.equal(await first!.answer("add", { key, input: 1, timeoutMs: 100 }), "unavailable (not-happened)");
  assert.equal(callsTo("node-2", world), before, "a command that is not sent is not in doubt");
  assert.equal(await second!.answer("add", { key, input: 1 }), "1");
  await world.advance(200);
  held.release();
  assert.equal(await first!.answer("add", { key, input: 1 }), "2");
  assert.deepEqual(first!.running.status().breakers, []);
});

function callsTo(node: string, world: World): number {
  return world.network.arrivals.filter(({ to, frame }) => to === node && frame.kind === "call").length;
}

const oneSlot = { load: { slotsFirst: 1, slotsMin: 1, slotsMax: 1 } };

async function startTwo(world: World, scripts: (node: number) => Scripts): Promise<readonly TestNode[]> {
  const nodes: TestNode[] = [];
  for (const number of [1, 2]) {
    const system = counterSystem(scripts(number));
    nodes.push(await world.begin({ system, node: `node-${number}`, linked: true, limits: oneSlot }));
  }
  for (const node of nodes) await world.until(node.started);
  await calm(world);
  return nodes;
}

test("a stateless call goes to another node when the queue here stands and there is less to do there", async () => {
  await using world = wideWorld();
  const gate = new Gate();
  const rate = (node: number) => async () => {
    if (node === 1) await gate.pass();
    return node;
  };
  const [first] = await startTwo(world, (node) => ({ rate: rate(node) }));
  const here = Array.from({ length: 5 }, () => first!.ask("rate", { service: "rates" }));
  await world.settle();
  assert.deepEqual(
    here.map(({ answer }) => answer),
    Array(5).fill(undefined),
    "a burst stays where it came in",
  );
  await world.advance(250);
  assert.equal(await first!.answer("rate", { service: "rates" }), "2");
  gate.open();
  assert.deepEqual(await Promise.all(here.map((call) => world.until(call))), Array(5).fill("1"));
  assert.equal(await first!.answer("rate", { service: "rates" }), "1");
});

test("a call that its owner turns away is not repeated there, and what a handler calls is not turned away", async () => {
  await using world = wideWorld();
  const gate = new Gate();
  const serve = { chain: (ctx: Parameters<NonNullable<Scripts["serve"]>[string]>[0]) => ctx.to(Counter, key).add(1) };
  const [first, second] = await startTwo(world, () => ({ act: { waits: () => gate.pass() }, serve }));
  const key = await keyOf(second!);
  const busy = await keyOf(second!, 1);
  const held = second!.ask("act", { key: busy, input: "waits" });
  await world.settle();
  for (let call = 0; call < 400; call++) second!.ask("value", { key, timeoutMs: 5_000, principal: "tester" });
  await world.advance(300);
  const before = callsTo("node-2", world);
  assert.equal(await first!.answer("add", { key, input: 1, timeoutMs: 200 }), "resource_exhausted (not-happened)");
  assert.equal(callsTo("node-2", world) - before, 1);
  assert.equal(await first!.answer("serve", { service: "desk", input: "chain", timeoutMs: 1_000 }), "1");
  const priorities = world.network.arrivals.flatMap(({ frame }) =>
    frame.kind === "call" && frame.body.operation === "add" ? [frame.priority] : [],
  );
  assert.deepEqual(priorities, [3, 1], "normal, and of a chain");
  gate.open();
  await world.until(held);
});

test("a node whose queue stands turns away no call that another node would carry out", async () => {
  await using world = wideWorld();
  const gate = new Gate();
  const rate = (node: number) => () => node;
  const [first, second] = await startTwo(world, (node) => ({ act: { waits: () => gate.pass() }, rate: rate(node) }));
  const [own, other] = [await keyOf(first!, 1), await keyOf(second!)];
  const held = first!.ask("act", { key: await keyOf(first!), input: "waits" });
  await world.settle();
  for (let call = 0; call < 400; call++) first!.ask("value", { key: own, timeoutMs: 5_000 });
  await world.advance(300);
  const { gateway } = first!.running;
  const add = { service: "counter", operation: "add", caller: "tester", timeoutMs: 200 };
  assert.equal(gateway.refusal({ ...add, key: own })?.code, "resource_exhausted");
  assert.equal(gateway.refusal({ ...add, key: other }), undefined);
  assert.equal(await first!.answer("add", { key: other, input: 1, timeoutMs: 200 }), "1");
  const rates = { service: "rates", operation: "rate", caller: "tester", timeoutMs: 200 };
  assert.equal(gateway.refusal(rates), undefined);
  assert.equal(await first!.answer("rate", { service: "rates", timeoutMs: 200 }), "2");
  assert.equal(gateway.refusal({ ...rates, service: "elsewhere" }), undefined, "hosted by others, if by anybody");
  second!.kill();
  await world.advance(100);
  assert.equal(gateway.refusal(rates)?.code, "resource_exhausted", "nobody has less to do");
  gate.open();
  await world.until(held);
});

test("callers take turns in the queue of the node that carries out their calls, wherever these came in", async () => {
  await using world = wideWorld();
  const gate = new Gate();
  const served: string[] = [];
  const act = { waits: () => gate.pass(), hot: () => served.push("hot"), light: () => served.push("light") };
  const [first, second] = await startTwo(world, () => ({ act }));
  const key = await keyOf(second!, 1);
  const held = second!.ask("act", { key: await keyOf(second!), input: "waits" });
  await world.settle();
  const ask = (caller: string) => first!.ask("act", { key, input: caller, caller, principal: "anonymous" });
  const calls = Array.from({ length: 50 }, () => ask("hot"));
  calls.push(ask("light"));
  await world.settle();
  gate.open();
  await world.until(held);
  for (const call of calls) await world.until(call);
  assert.equal(served.length, 51);
  assert.equal(served.indexOf("light"), 1, "after one of the other's");
});
