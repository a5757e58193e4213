/** All nodes leave at once and nobody stays to take over: what came in is answered all the same. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Acting, counterSystem, Gate } from "../guarantees/counter-system.ts";
import { keyOf, startNodes, wideWorld } from "./nodes.ts";

const names = ["node-1", "node-2", "node-3"];

/** Handlers that take as long as the test wants, each node's by a gate of its own. */
function slowSystems() {
  const gates = new Map(names.map((name) => [name, new Gate()]));
  const systemOf = (name: string) => {
    const slowly = async (ctx: Acting): Promise<number> => {
      ctx.state.value += 1;
      await gates.get(name)!.pass();
      return ctx.state.value;
    };
    return counterSystem({ act: { slowly } });
  };
  return { gates, systemOf };
}

test("an owner that leaves together with all others finishes a call that came in at one of them", async () => {
  await using world = wideWorld();
  const { gates, systemOf } = slowSystems();
  const nodes = [];
  for (const name of names) nodes.push(...(await startNodes(world, [name], { system: systemOf(name) })));
  const [entry, owner, third] = nodes;
  const call = entry!.ask("act", { key: await keyOf(owner!), input: "slowly" });
  await world.settle();
  // The owner last: it knows that nobody stays to whom it could hand anything.
  const stops = [entry!.running.stop(20_000), third!.running.stop(20_000)];
  await world.advance(600);
  stops.push(owner!.running.stop(20_000));
  await world.advance(5_000);
  assert.equal(call.answer, undefined);
  gates.get("node-2")!.open();
  assert.equal(await world.until(call), "1");
  await world.until(Promise.all(stops));
  assert.deepEqual([...gates.values()].map(({ visits }) => visits).sort(), [0, 0, 1], "it ran once");
  const view = await (await world.connect()).view();
  assert.deepEqual(view.members, []);
});

test("a call whose owner is gone first is taken over by one that leaves as well, and takes effect once", async () => {
  await using world = wideWorld();
  const { gates, systemOf } = slowSystems();
  const nodes = [];
  for (const name of names) nodes.push(...(await startNodes(world, [name], { system: systemOf(name) })));
  const [entry, owner, third] = nodes;
  const key = await keyOf(owner!);
  await entry!.answer("add", { key, input: 10 });
  const call = entry!.ask("act", { key, input: "slowly" });
  await world.settle();
  const stops = [entry!.running.stop(20_000), third!.running.stop(20_000), owner!.running.stop(1_000)];
  await world.until(stops[2]!);
  assert.equal(call.answer, undefined);
  for (const gate of gates.values()) gate.open();
  assert.equal(await world.until(call), "11");
  await world.until(Promise.all(stops));
  const [next] = await startNodes(world, ["node-4"]);
  assert.equal(await next!.answer("value", { key }), "11");
});
