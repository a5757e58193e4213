/** What a call costs on the network: nothing on the own node, two frames to another one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestNode, World } from "../guarantees/world.ts";
import { keyOf, startNodes, wideWorld } from "./nodes.ts";

function frames(node: TestNode): number {
  return node.running.status().links.reduce((sum, link) => sum + link.framesSent + link.framesReceived, 0);
}

/** Frames that the node sent and received while it was asked. */
async function framesOf(world: World, node: TestNode, operation: string, key: string, id?: string): Promise<number> {
  const before = frames(node);
  const asked = node.ask(operation, { key, ...(operation === "add" && { input: 1 }), ...(id !== undefined && { id }) });
  await world.settle();
  assert.match(asked.answer ?? "none", /^\d/);
  return frames(node) - before;
}

test("a call to a key on the same node sends no message, and to another node two", async () => {
  await using world = wideWorld();
  const [first, second, third] = await startNodes(world, ["node-1", "node-2", "node-3"]);
  const own = await keyOf(first!);
  const others = [await keyOf(second!), await keyOf(third!)];
  for (const operation of ["add", "value", "peek"]) {
    assert.equal(await framesOf(world, first!, operation, own), 0, `${operation} here`);
    for (const key of others) assert.equal(await framesOf(world, first!, operation, key), 2, `${operation} there`);
  }
  assert.equal(await framesOf(world, first!, "add", others[0]!, "an idempotency key"), 2);
  assert.equal(await framesOf(world, first!, "add", others[0]!, "an idempotency key"), 2, "and its repeat");
});

test("a hundred concurrent calls to another node cost two hundred frames and few commits", async () => {
  await using world = wideWorld();
  const [first, second] = await startNodes(world, ["node-1", "node-2"]);
  const key = await keyOf(second!);
  const [before, commits] = [frames(first!), second!.store.count("commit")];
  const calls = Array.from({ length: 100 }, () => first!.ask("add", { key, input: 1 }));
  const answers = await Promise.all(calls.map((call) => world.until(call)));
  assert.equal(new Set(answers).size, 100);
  const pings = 10;
  assert.ok(frames(first!) - before <= 200 + pings, `${frames(first!) - before} frames`);
  assert.ok(second!.store.count("commit") - commits <= 5);
});
