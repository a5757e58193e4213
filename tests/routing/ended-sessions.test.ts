/**
 * G4 and G7 for a command without an idempotency key: its id belongs to its node's session, which ends when the node
 * joins again. What may have happened under that id is then neither sent nor executed once more: nobody remembers it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { placeShard } from "../../src/core/ownership/placement.ts";
import { storeFull } from "../guarantees/fault-store.ts";
import type { TestNode, World } from "../guarantees/world.ts";
import { keyOf, rowsIn, startNodes, wideWorld } from "./nodes.ts";

const [caller, owner, third] = ["node-1", "node-2", "node-3"];
const replyFrame = { from: owner, to: caller, kind: "reply" } as const;
const unknown = "unavailable (unknown)";

/** A key of the owner's that goes to that node when the owner is gone. */
async function inheritedKey(world: World, from: TestNode, heir = caller): Promise<string> {
  const view = await (await world.connect()).view();
  const rest = view.members.filter(({ node }) => node !== owner);
  for (let index = 0; ; index++) {
    const key = await keyOf(from, index);
    const { shard } = await from.running.inspect("counter", key);
    const ownership = view.shards.find((one) => one.shard.service === "counter" && one.shard.number === shard)!;
    if (placeShard(ownership, rest)?.node === heir) return key;
  }
}

async function endLease(world: World, node: TestNode): Promise<void> {
  await (await world.connect()).endLease({ node: node.name, incarnation: node.running.incarnation });
}

test("a command whose node joins again between two attempts is not sent once more without its id", async () => {
  await using world = wideWorld();
  const [first, second] = await startNodes(world, [caller, owner]);
  const key = await keyOf(second!);
  world.network.once(replyFrame, "held");
  const call = first!.ask("add", { key, input: 5, timeoutMs: 60_000 });
  await world.settle();
  assert.equal(await second!.answer("value", { key }), "5", "it took effect");
  // The owner learns that the caller is no member any more, and refuses what it repeats.
  const joins = first!.store.hold("join");
  await endLease(world, first!);
  await world.advance(600);
  assert.equal(joins.waiting, 1);
  world.network.cut(caller, owner);
  await world.advance(200);
  assert.equal(call.answer, undefined, "it waits for its next attempt");
  joins.release();
  await world.advance(2_000);
  assert.equal(call.answer, unknown);
  assert.equal(await second!.answer("value", { key }), "5");
  assert.equal(await first!.answer("add", { key, input: 1 }), "6", "another call goes its way");
});

test("a command that waits here for an owner while its node joins again is not executed here once more", async () => {
  await using world = wideWorld();
  const limits = { trimIntervalMs: 160, recordCacheLengthMax: 1, ownershipWaitMs: 20_000 };
  const [first, second, other] = await startNodes(world, [caller, owner, third], { limits });
  const key = await inheritedKey(world, second!);
  world.network.once(replyFrame, "lost");
  world.network.part(caller, owner);
  const call = first!.ask("add", { key, input: 5, timeoutMs: 60_000 });
  await world.settle();
  assert.equal(await second!.answer("value", { key }), "5", "it took effect");
  const claims = first!.store.hold("claim");
  second!.kill();
  await endLease(world, second!);
  first!.running.refresh();
  await world.advance(300);
  assert.equal(claims.waiting, 1, "the call waits for this claim");
  // Somebody else has all shards for a while, and forgets what the ended sessions left.
  await endLease(world, first!);
  await world.advance(1_500);
  assert.equal(other!.running.status().shardsOwned, 32);
  assert.equal(rowsIn(world.database!).records, 0);
  await world.until(other!.running.stop(5_000));
  assert.equal(call.answer, undefined);
  claims.release();
  await world.advance(1_000);
  assert.equal(first!.running.status().shardsOwned, 32);
  assert.equal(call.answer, unknown);
  assert.equal(await first!.answer("value", { key }), "5");
});

test("a floor that went with a commit that failed is written with the next one, so that its session can end", async () => {
  await using world = wideWorld();
  const limits = { trimIntervalMs: 160 };
  const [first, second, other] = await startNodes(world, [caller, owner, third], { limits });
  const key = await inheritedKey(world, second!, third);
  const floors: number[] = [];
  second!.store.commitsOnce((batch, forward) => {
    floors.push(batch.shards.flatMap((shard) => shard.floors).length);
    return storeFull(batch, forward);
  });
  assert.equal(await first!.answer("add", { key, input: 1 }), "unavailable (not-happened)");
  assert.deepEqual(floors, [1], "what failed had the floor of the caller's session");
  assert.equal(await first!.answer("add", { key, input: 2 }), "2");
  assert.ok(rowsIn(world.database!).records > 0);
  await world.until(second!.running.stop(5_000));
  first!.kill();
  await endLease(world, first!);
  await world.advance(5_000);
  assert.equal(await other!.answer("value", { key }), "2");
  assert.deepEqual(rowsIn(world.database!), { records: 0, floors: 0 });
});
