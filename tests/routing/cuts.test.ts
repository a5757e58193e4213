/** G4 and G7 across nodes: a link is lost at any moment of a call, and the call takes effect once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Acting, counterSystem, Gate } from "../guarantees/counter-system.ts";
import type { TestNode } from "../guarantees/world.ts";
import { keyOf, startNodes, wideWorld } from "./nodes.ts";

const [caller, owner] = ["node-1", "node-2"];
const callFrame = { from: caller, to: owner, kind: "call" } as const;
const replyFrame = { from: owner, to: caller, kind: "reply" } as const;

test("a link that is lost before a call is sent costs the call nothing but time", async () => {
  await using world = wideWorld();
  const [first, second] = await startNodes(world, [caller, owner]);
  const key = await keyOf(second!);
  world.network.cut(caller, owner);
  await world.settle();
  assert.equal(await first!.answer("add", { key, input: 5 }), "5");
  assert.equal(await first!.answer("value", { key }), "5");
});

test("a call that is lost on its way is made again, and takes effect once", async () => {
  await using world = wideWorld();
  const [first, second] = await startNodes(world, [caller, owner]);
  const key = await keyOf(second!);
  world.network.once({ ...callFrame, operation: "add" }, "lost");
  assert.equal(await first!.answer("add", { key, input: 5 }), "5");
  assert.equal(world.network.awaits, false, "the frame was lost");
  assert.equal(await first!.answer("value", { key }), "5");
});

test("a handler whose caller's link is lost gives up its turn, and the repeat runs it once more", async () => {
  await using world = wideWorld();
  const gate = new Gate();
  const slowly = async (ctx: Acting): Promise<number> => {
    ctx.state.value += 1;
    await gate.pass();
    return ctx.state.value;
  };
  const [first, second] = await startNodes(world, [caller, owner], { system: counterSystem({ act: { slowly } }) });
  const key = await keyOf(second!);
  const call = first!.ask("act", { key, input: "slowly" });
  await world.settle();
  assert.equal(gate.visits, 1);
  world.network.cut(caller, owner);
  await world.advance(500);
  assert.equal(gate.visits, 2);
  gate.open();
  assert.equal(await world.until(call), "1");
  assert.equal(await first!.answer("value", { key }), "1");
});

for (const [what, operation, input, answers] of [
  ["a value", "add", 5, "12 (replayed)"],
  ["a declared error", "add", -9, 'tooLow {"value":7} (declared) (replayed)'],
  ["nothing", "reset", undefined, "done (replayed)"],
] as const) {
  test(`a reply that is lost after the commit (${what}) is given again, and the command takes effect once`, async () => {
    await using world = wideWorld();
    const [first, second] = await startNodes(world, [caller, owner]);
    const key = await keyOf(second!);
    await first!.answer("add", { key, input: 7 });
    const commits = second!.store.commits.length;
    world.network.once(replyFrame, "lost");
    assert.equal(await first!.answer(operation, { key, input }), answers);
    assert.equal(world.network.awaits, false, "the reply was lost");
    assert.equal(second!.store.commits.length - commits, 1);
    assert.equal(
      await first!.answer("add", { key, input: 0 }),
      { add: input === 5 ? "12" : "7", reset: "0" }[operation],
    );
  });
}

test("a repeat that finds the first attempt in the middle of its commit joins it", async () => {
  await using world = wideWorld();
  const [first, second] = await startNodes(world, [caller, owner]);
  const key = await keyOf(second!);
  const commits = second!.store.hold("commit");
  const call = first!.ask("add", { key, input: 5 });
  await world.settle();
  world.network.cut(caller, owner);
  await world.advance(200);
  assert.equal(call.answer, undefined);
  assert.equal(commits.waiting, 1);
  commits.release();
  assert.match(await world.until(call), /^5/);
  assert.equal(await first!.answer("value", { key }), "5");
});

test("a call of unknown outcome stays unknown when its deadline comes before a reply (G7)", async () => {
  await using world = wideWorld();
  const [first, second] = await startNodes(world, [caller, owner]);
  const key = await keyOf(second!);
  world.network.once(replyFrame, "lost");
  const mend = world.network.part(caller, owner);
  assert.equal(await first!.answer("add", { key, input: 5, timeoutMs: 400 }), "unavailable (unknown)");
  mend();
  await world.advance(1_000);
  assert.equal(await first!.answer("value", { key }), "5", "it had happened");
});

test("a call that was never sent did not happen, and neither did a query that was", async () => {
  await using world = wideWorld();
  const [first, second] = await startNodes(world, [caller, owner]);
  const key = await keyOf(second!);
  world.network.once(replyFrame, "lost");
  const mend = world.network.part(caller, owner);
  assert.equal(await first!.answer("value", { key, timeoutMs: 400 }), "unavailable (not-happened)");
  assert.equal(world.network.awaits, false, "the reply was lost");
  assert.equal(await first!.answer("add", { key, input: 5, timeoutMs: 400 }), "unavailable (not-happened)");
  mend();
  await world.advance(1_000);
  assert.equal(await first!.answer("value", { key }), "0");
});

test("a deadline that passes at the owner while the handler runs is said with its outcome", async () => {
  await using world = wideWorld();
  const gate = new Gate();
  const system = counterSystem({ act: { never: () => gate.pass() } });
  const [first, second] = await startNodes(world, [caller, owner], { system });
  const key = await keyOf(second!);
  const answer = await first!.answer("act", { key, input: "never", timeoutMs: 300 });
  assert.match(answer, /^deadline_exceeded/);
  assert.equal(await first!.answer("add", { key, input: 5 }), "5", "the turn is free again");
});

test("a command that kills its node twice is not sent to a third one", async () => {
  await using world = wideWorld();
  const deaths: string[] = [];
  const nodes: TestNode[] = [];
  const deadlyOn = (name: string) => () => {
    deaths.push(name);
    nodes.find((node) => node.name === name)!.kill();
    return new Promise(() => {});
  };
  for (const name of ["node-1", "node-2", "node-3", "node-4"]) {
    nodes.push(...(await startNodes(world, [name], { system: counterSystem({ act: { deadly: deadlyOn(name) } }) })));
  }
  const key = await keyOf(nodes[1]!);
  const reply = await nodes[0]!.reply("act", { key, input: "deadly", timeoutMs: 60_000 });
  assert.equal(deaths.length, 2);
  assert.equal(deaths[0], "node-2");
  assert.ok(!reply.ok && reply.error.outcome === "unknown");
  assert.equal(reply.error.retryable, false, "its caller is not asked to go on with it");
});
