/** G8 across nodes: shards move under calls, on purpose or because a node is gone, and their callers hear no error. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestNode } from "../guarantees/world.ts";
import { join, keyOf, Load, ownerOf, startNodes, wideWorld } from "./nodes.ts";

const keys: readonly string[] = Array.from({ length: 40 }, (_, index) => `key-${index}`);

test("a caller whose view is old is sent on by the former owner", async () => {
  await using world = wideWorld();
  const [first, second, third] = await startNodes(world, ["node-1", "node-2", "node-3"]);
  const views = first!.store.hold("renew");
  await world.settle();
  const before = await Promise.all(keys.map((key) => ownerOf(key, second!)));
  void second!.running.drain(5_000);
  await world.advance(600);
  const after = await Promise.all(keys.map((key) => ownerOf(key, third!)));
  const moved = keys.find((_, index) => before[index] === "node-2" && after[index] === "node-3");
  assert.ok(moved !== undefined);
  assert.equal(await ownerOf(moved, first!), "node-2", "what the caller believes");
  const call = first!.ask("add", { key: moved, input: 5 });
  await world.advance(50);
  assert.equal(call.answer, "5");
  const told = world.network.arrivals.map(({ from, frame }) => frame.kind === "reply" && `${from} ${frame.body.kind}`);
  assert.ok(told.includes("node-2 moved") && told.includes("node-3 ok"));
  views.release();
});

test("a node that joins takes its part from the others, and no call fails", async () => {
  await using world = wideWorld();
  const nodes = [...(await startNodes(world, ["node-1", "node-2"]))];
  const load = new Load(world, () => nodes, keys);
  await world.advance(500);
  nodes.push(await join(world, "node-3"));
  nodes.push(await join(world, "node-4"));
  for (const { running } of nodes) assert.ok(running.status().shardsOwned > 0);
  await load.finish(nodes[0]!);
});

test("nodes that drain and leave hand everything over, and no call fails", async () => {
  await using world = wideWorld();
  const all = [...(await startNodes(world, ["node-1", "node-2", "node-3"]))];
  let entries = all;
  const load = new Load(world, () => entries, keys);
  await world.advance(500);
  for (const leaving of [all[1]!, all[0]!]) {
    // Calls go on coming in at the node that drains, until it has nothing left.
    await world.until(leaving.running.drain(5_000));
    assert.equal(leaving.running.status().shardsOwned, 0);
    await world.advance(200);
    entries = entries.filter((node) => node !== leaving);
    await world.advance(50);
    await leaving.stop();
    await world.advance(500);
  }
  assert.equal(all[2]!.running.status().shardsOwned, 32);
  await load.finish(all[2]!);
});

test("nodes that come and go one after the other, as in a rolling restart, fail no call", async () => {
  await using world = wideWorld();
  let entries: readonly TestNode[] = await startNodes(world, ["node-1", "node-2", "node-3"]);
  const load = new Load(world, () => entries, keys);
  for (const name of ["node-1", "node-2", "node-3"]) {
    const leaving = entries.find((node) => node.name === name)!;
    entries = entries.filter((node) => node !== leaving);
    await world.advance(100);
    await leaving.stop(5_000);
    entries = [...entries, await join(world, name)];
    await world.advance(200);
  }
  await load.finish(entries[0]!);
});

for (const [how, endsLease] of [
  ["and its supervisor ends its lease", true],
  ["and its lease has to run out", false],
] as const) {
  test(`a node is gone in the middle of calls, ${how}: each command takes effect once`, async () => {
    await using world = wideWorld();
    const nodes = await startNodes(world, ["node-1", "node-2", "node-3"]);
    const survivors = nodes.slice(1);
    const load = new Load(world, () => survivors, keys, 8);
    await world.advance(515);
    const { incarnation } = nodes[0]!.running;
    nodes[0]!.kill();
    if (endsLease) {
      await (await world.connect()).endLease({ node: "node-1", incarnation });
      for (const { running } of survivors) running.refresh();
      await world.advance(300);
      const answers = survivors.map((node) => Promise.all(keys.map((key) => node.ask("value", { key }))));
      await world.advance(200);
      for (const answer of await Promise.all(answers)) assert.ok(answer.every((value) => /^\d+$/.test(value)));
    }
    await world.advance(4_000);
    await load.finish(survivors[0]!);
  });
}

test("a key is found at once by a node that has only just joined", async () => {
  await using world = wideWorld();
  const [first, second] = await startNodes(world, ["node-1", "node-2"]);
  const key = await keyOf(second!);
  await first!.answer("add", { key, input: 5 });
  const third = await join(world, "node-3");
  assert.equal(await third.answer("value", { key }), "5");
});
