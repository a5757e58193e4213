/** G4 across nodes: what a caller has settled is refused and never executed, and nothing of it is kept. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { makeTimedKey } from "../../src/values/ids.ts";
import { ownerOf, rowsIn, startNodes, wideWorld } from "./nodes.ts";

test("a duplicate that arrives late from an old connection is refused, never executed", async () => {
  await using world = wideWorld();
  const { network } = world;
  const [first, second] = await startNodes(world, ["node-1", "node-2"]);
  // A third node takes the key away and gives it back, so that the second one owns it twice.
  const others = await startNodes(world, ["node-3"]);
  const keys = Array.from({ length: 100 }, (_, index) => `key-${index}`);
  const atThird = new Set<string>();
  for (const key of keys) if ((await ownerOf(key, others[0]!)) === "node-3") atThird.add(key);
  await others[0]!.stop();
  await world.advance(1_000);
  let key = "";
  for (const each of atThird) if ((await ownerOf(each, second!)) === "node-2") key = each;
  assert.notEqual(key, "");

  // The first attempt stays on its way: its caller has lost the connection, the owner has not.
  network.once({ from: "node-1", to: "node-2", kind: "call", operation: "add" }, "held");
  const call = first!.ask("add", { key, input: 5 });
  await world.settle();
  assert.equal(call.answer, undefined);
  const mend = network.part("node-1", "node-2");
  network.loseAtDialler("node-1", "node-2");
  const third = await world.begin({ system: first!.system, node: "node-3", linked: true });
  await world.advance(10);
  for (const { running } of [first!, second!]) running.refresh();
  await world.advance(300);
  assert.equal(call.answer, "5", "done by the owner in between");
  // The next call brings the floor along.
  const next = first!.ask("add", { key, input: 1 });
  await world.advance(10);
  assert.equal(next.answer, "6");
  await third.running.stop(1_000);
  for (const { running } of [first!, second!]) running.refresh();
  await world.advance(100);
  assert.equal(await ownerOf(key, second!), "node-2");

  const before = network.arrivals.length;
  network.release("node-1", "node-2");
  await world.advance(50);
  const arrived = network.arrivals.slice(before).map(({ from, frame }) => `${from} ${frame.kind}`);
  assert.ok(arrived.includes("node-1 call"), "the old frame did arrive");
  mend();
  assert.equal(await second!.answer("value", { key }), "6");
});

test("recorded replies of calls between nodes do not pile up", async () => {
  await using world = wideWorld();
  const recordsPerFloorMax = 4;
  const nodes = await startNodes(world, ["node-1", "node-2", "node-3"], { limits: { recordsPerFloorMax } });
  const inFlight = 20;
  let made = 0;
  const client = async (number: number): Promise<void> => {
    for (let call = number; call < 1_000; call += inFlight, made++) {
      const node = nodes[call % nodes.length]!;
      assert.match(await node.ask("add", { key: `key-${(call * 7) % 50}`, input: 1 }), /^\d+$/);
    }
  };
  await world.until(Promise.all(Array.from({ length: inFlight }, (_, number) => client(number))));
  assert.equal(made, 1_000);
  const crowded = rowsIn(world.database!);
  const [shards, sessions] = [16, 3];
  assert.ok(crowded.floors <= shards * sessions, `${crowded.floors} floors`);
  const waiting = recordsPerFloorMax + sessions;
  assert.ok(crowded.records <= 2 * inFlight + shards * waiting, `${crowded.records} records`);
  // More calls to each shard settle what is left there of their callers' sessions.
  for (let index = 0; index < 50; index++) {
    for (const node of nodes) await node.answer("add", { key: `key-${index}`, input: 0 });
  }
  const { records } = rowsIn(world.database!);
  assert.ok(
    records <= shards * waiting,
    `${records} records where each shard keeps the last of each session, and few more`,
  );
});

test("the sessions of callers that are gone are forgotten, with all that they left", async () => {
  await using world = wideWorld();
  const limits = { trimIntervalMs: 3_000, recordsPerFloorMax: 2 };
  const [first, second, third] = await startNodes(world, ["node-1", "node-2", "node-3"], { limits });
  for (let index = 0; index < 50; index++) await first!.answer("add", { key: `key-${index}`, input: 1 });
  assert.ok(rowsIn(world.database!).floors > 0);
  await first!.stop();
  second!.kill();
  await world.advance(10_000);
  assert.equal(third!.running.status().shardsOwned, 32);
  assert.deepEqual(rowsIn(world.database!), { records: 0, floors: 0 });
});

test("the session of a caller that the owner has not seen join yet is not taken for one that has ended", async () => {
  await using world = wideWorld();
  const limits = { trimIntervalMs: 160, recordCacheLengthMax: 1 };
  const [owner] = await startNodes(world, ["node-1"], { limits });
  const key = "key-0";
  await owner!.answer("add", { key, input: 1 });
  const views = owner!.store.hold("renew");
  const caller = await world.begin({ system: owner!.system, node: "node-2", linked: true, limits });
  // Commits renew a lease as well: the newcomer sees that the owner lives, and serves.
  for (let beat = 0; beat < 3; beat++) {
    await owner!.answer("add", { key, input: 1 });
    await world.advance(250);
  }
  world.network.once({ from: "node-1", to: "node-2", kind: "reply" }, "lost");
  const mend = world.network.part("node-1", "node-2");
  const call = caller.ask("add", { key, input: 10 });
  await world.advance(400);
  assert.equal(call.answer, undefined);
  assert.ok(owner!.store.count("trim") > 0);
  await owner!.answer("add", { key: "another", input: 1, id: "evicts the reply from the cache" });
  mend();
  await world.advance(500);
  assert.equal(call.answer, "14 (replayed)", "4 and 10, once");
  views.release();
});

test("a key that a client made is known to the next owner", async () => {
  await using world = wideWorld();
  const nodes = await startNodes(world, ["node-1", "node-2", "node-3"]);
  const id = makeTimedKey(nodes[0]!.clock.wall(), new Uint8Array(10));
  for (let index = 0; index < 10; index++) {
    assert.equal(await nodes[0]!.answer("add", { key: `key-${index}`, input: 5, id }), "5");
  }
  await nodes[1]!.stop();
  for (let index = 0; index < 10; index++) {
    assert.equal(await nodes[2]!.answer("add", { key: `key-${index}`, input: 5, id }), "5 (replayed)");
    const other = await nodes[0]!.answer("add", { key: `key-${index}`, input: 6, id });
    assert.equal(other, "invalid_argument (not-happened)");
  }
});
