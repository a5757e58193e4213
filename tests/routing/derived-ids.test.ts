/** Ids of calls that commands make: they hold on whatever node the calling command runs, and on whatever node the called one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Counter, counterSystem, type Serving } from "../guarantees/counter-system.ts";
import { keyOf, startNodes, wideWorld } from "./nodes.ts";

/** Adds 1 and then 10 to one counter, and 100 to another. */
function adding(here: string, there: string) {
  return async (ctx: Serving): Promise<readonly number[]> => [
    await ctx.to(Counter, here).add(1),
    await ctx.to(Counter, here).add(10),
    await ctx.to(Counter, there).add(100),
  ];
}

test("a stateless command that is repeated under its key on another node has its calls take effect once", async () => {
  const scripts: Record<string, (ctx: Serving) => unknown> = {};
  await using world = wideWorld();
  const [first, second, third] = await startNodes(world, ["node-1", "node-2", "node-3"], {
    system: counterSystem({ serve: scripts }),
  });
  const [here, there] = [await keyOf(second!), await keyOf(third!)];
  scripts.add = adding(here, there);
  const serve = { service: "desk", input: "add", id: "one" } as const;
  assert.equal(await first!.answer("serve", serve), "[1,11,100]");
  for (const node of [second!, third!, first!]) assert.equal(await node.answer("serve", serve), "[1,11,100]");
  assert.equal(await first!.answer("serve", { ...serve, id: "two" }), "[12,22,200]", "another key, another command");
  assert.equal(await second!.answer("value", { key: here }), "22");
  assert.equal(await second!.answer("value", { key: there }), "200");
});

test("the calls of a stateless command take effect once, whatever replies are lost on the way", async () => {
  const scripts: Record<string, (ctx: Serving) => unknown> = {};
  await using world = wideWorld();
  const [first, second, third] = await startNodes(world, ["node-1", "node-2", "node-3"], {
    system: counterSystem({ serve: scripts }),
  });
  const [here, there] = [await keyOf(second!), await keyOf(third!)];
  scripts.add = adding(here, there);
  for (const id of [undefined, "one"]) {
    world.network.once({ from: "node-2", to: "node-1", kind: "reply" }, "lost");
    world.network.once({ from: "node-1", to: "node-3", kind: "call", operation: "add" }, "last");
    assert.match(
      await first!.answer("serve", { service: "desk", input: "add", ...(id !== undefined && { id }) }),
      /^\[/,
    );
    assert.equal(world.network.awaits, false);
  }
  assert.equal(await first!.answer("value", { key: here }), "22");
  assert.equal(await first!.answer("value", { key: there }), "200");
});

test("a stateless command whose node is gone is repeated elsewhere by its caller, under its key, without doubling", async () => {
  const scripts: Record<string, (ctx: Serving) => unknown> = {};
  await using world = wideWorld();
  const [first, second, third] = await startNodes(world, ["node-1", "node-2", "node-3"], {
    system: counterSystem({ serve: scripts }),
  });
  const [here, there] = [await keyOf(second!), await keyOf(third!)];

  scripts.add = async (ctx) => {
    const done = await adding(here, there)(ctx);
    if (!first!.paused) first!.kill();
    return done;
  };
  void first!.ask("serve", { service: "desk", input: "add", id: "one" });
  await world.advance(4_000);
  assert.ok(first!.paused);
  assert.equal(await second!.answer("serve", { service: "desk", input: "add", id: "one" }), "[1,11,100]");
  assert.equal(await second!.answer("value", { key: here }), "11");
});
