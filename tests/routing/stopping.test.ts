/** A node that stops while calls of its callers are under way at other nodes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SynodError } from "../../src/errors.ts";
import { counterSystem } from "../guarantees/counter-system.ts";
import type { TestNode, World } from "../guarantees/world.ts";
import { keyOf, startNodes, wideWorld } from "./nodes.ts";

const hangs = (): Promise<never> => new Promise(() => {});
const timeoutMs = 300_000;
/** What is said of the command, and of the query. */
const cut = ["unavailable (unknown)", "unavailable (not-happened)"];

/** Two nodes, and callers of the first who wait for what hangs at the second. */
async function startWaiting(world: World) {
  const system = counterSystem({ act: { hangs }, look: { hangs } });
  const [first, second] = await startNodes(world, ["node-1", "node-2"], { system });
  const key = await keyOf(second!);
  const calls = [
    first!.ask("act", { key, input: "hangs", timeoutMs }),
    first!.ask("look", { key, input: "hangs", timeoutMs }),
  ];
  await world.settle();
  return { first: first!, second: second!, key, calls };
}

function membersSeenBy(node: TestNode): readonly string[] {
  return node.running.status().members.map((member) => member.node);
}

test("a stop does not wait for calls under way at another node beyond its drain, and says what is unknown", async () => {
  await using world = wideWorld();
  const { first, second, key, calls } = await startWaiting(world);
  const before = first.clock.monotonic();
  await world.until(first.running.stop(1_000));
  const tookMs = first.clock.monotonic() - before;
  assert.ok(tookMs <= 1_100, `the stop took ${tookMs} ms`);
  assert.deepEqual(
    calls.map(({ answer }) => answer),
    cut,
  );
  assert.deepEqual(membersSeenBy(second), ["node-2"], "it was told at once");
  assert.equal(await second.answer("add", { key, input: 1 }), "1", "nobody waits there any more");
});

test("a node that has to stop does not stay for calls under way at another node", async () => {
  await using world = wideWorld();
  const { first, calls } = await startWaiting(world);
  const refusal = new SynodError("failed_precondition", "the store has become another one");
  first.store.intercept("join", () => Promise.reject(refusal));
  const behind = await world.connect();
  await behind.endLease({ node: first.name, incarnation: first.running.incarnation });
  assert.equal(await world.until(first.running.stopped, 4_200), refusal);
  assert.deepEqual(
    calls.map(({ answer }) => answer),
    cut,
  );
});
