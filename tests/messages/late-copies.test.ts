/** A message that comes once more, long after its sender has settled it, is refused by whoever owns its receiver (guarantee G4). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { shardOf } from "../../src/values/hash.ts";
import type { TestNode } from "../guarantees/world.ts";
import { startNodes, wideWorld } from "../routing/nodes.ts";
import { mailSystem } from "./mail-system.ts";

const shards = 16;
const keys = Array.from({ length: 200 }, (_, index) => `key-${index}`);

/** Those keys of a service that belong to that node. */
async function keysAt(service: string, owner: TestNode): Promise<readonly string[]> {
  const found: string[] = [];
  for (const key of keys) if ((await owner.running.inspect(service, key)).owner === owner.name) found.push(key);
  return found;
}

const send = (key: string, to: string, text: string) => ({ service: "post", key, input: { to, texts: [text] } });

test("a durable command that was settled before it was done is not accepted again when its outcome is forgotten", async () => {
  let broken = true;
  const file = (): void => {
    if (broken) throw new Error("no such drawer");
  };
  const schedule = { attemptsMax: 1_000, ageMaxMs: 600_000, backoffBaseMs: 20, backoffMaxMs: 20 };
  const limits = { schedule, retentionMs: 200, trimIntervalMs: 50 };
  const system = mailSystem({ file });
  await using world = wideWorld();
  const { network } = world;
  const [first, second] = await startNodes(world, ["node-1", "node-2"], { system, limits });
  const [third] = await startNodes(world, ["node-3"], { system, limits });
  const atThird = await keysAt("box", third!);
  await third!.stop();
  await world.advance(1_000);
  const atSecond = new Set(await keysAt("box", second!));
  const box = atThird.find((key) => atSecond.has(key))!;
  const neighbour = atThird.find((key) => key !== box && shardOf("box", key, shards) === shardOf("box", box, shards))!;
  const [post] = await keysAt("post", first!);

  // The first copy stays on its way: its sender has lost the connection, the owner has not.
  network.once({ from: "node-1", to: "node-2", kind: "call", operation: "file" }, "held");
  await first!.answer("file", send(post!, box, "deed"));
  const mend = network.part("node-1", "node-2");
  network.loseAtDialler("node-1", "node-2");
  const between = await world.begin({ system, node: "node-3", linked: true, limits });
  await world.advance(10);
  for (const { running } of [first!, second!]) running.refresh();
  await world.advance(300);
  const accepted = (await world.until(between.running.work({ boxes: ["inbox"] }))).work;
  assert.equal(accepted.length, 1, "the owner in between has accepted the next copy");
  // The next message brings the floor along.
  await first!.answer("send", send(post!, neighbour, "by the way"));
  await world.advance(50);
  broken = false;
  await world.advance(50);
  const filed = JSON.stringify([`${post}:deed filed`]);
  assert.equal(await first!.answer("letters", { service: "box", key: box }), filed);
  await world.advance(500);
  await between.running.stop(1_000);
  for (const { running } of [first!, second!]) running.refresh();
  await world.advance(100);
  assert.equal((await second!.running.inspect("box", box)).owner, "node-2");

  const before = network.arrivals.length;
  network.release("node-1", "node-2");
  await world.advance(200);
  assert.ok(network.arrivals.length > before, "the old frame did arrive");
  mend();
  assert.equal(await second!.answer("letters", { service: "box", key: box }), filed, "once");
});
