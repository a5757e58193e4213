/**
 * Messages to a service without keys, whose handlers call entities: those calls stand in the message's number, and may
 * go to any shard (guarantees G4 and G5).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { command, defineInterface, defineSystem, implement, query, type System } from "synod";
import { z } from "zod";
import { shardOf } from "../../src/values/hash.ts";
import { type TestNode, World } from "../guarantees/world.ts";

const shards = 4;

const Stock = defineInterface("stock", {
  key: z.string(),
  operations: {
    note: command({ input: z.string() }),
    /** Has the turn until it is done. */
    audit: command({ durable: true }),
    noted: query({ output: z.array(z.string()) }),
  },
});

/** Tells a stock. */
const Notifier = defineInterface("notifier", {
  operations: { placed: command({ input: z.object({ stock: z.string(), text: z.string() }) }) },
});

const Order = defineInterface("order", {
  key: z.string(),
  operations: {
    /** By way of the notifier, or directly; in this order. */
    tell: command({
      input: z.array(z.object({ stock: z.string(), text: z.string(), via: z.enum(["notifier", "stock"]) })),
    }),
  },
});

function orderSystem(isAudited = (): boolean => true): System {
  const stock = implement(Stock, {
    state: { version: 1, initial: () => ({ noted: [] as string[] }) },
    operations: {
      note: (ctx, text) => void ctx.state.noted.push(text),
      audit: () => {
        if (!isAudited()) throw new Error("not yet");
      },
      noted: (ctx) => ctx.state.noted,
    },
  });
  const notifier = implement(Notifier, {
    calls: [Stock],
    operations: { placed: (ctx, { stock: key, text }) => ctx.to(Stock, key).note(text) },
  });
  const order = implement(Order, {
    sends: [Notifier, Stock],
    state: { version: 1, initial: () => ({ told: 0 }) },
    operations: {
      tell: (ctx, messages) => {
        for (const { stock: key, text, via } of messages) {
          if (via === "stock") ctx.send(Stock, key).note(text);
          else ctx.send(Notifier).placed({ stock: key, text });
        }
        ctx.state.told += messages.length;
      },
    },
  });
  return defineSystem({ name: "test", services: [order, notifier, stock] });
}

type Message = { readonly stock: string; readonly text: string; readonly via: "notifier" | "stock" };
const tell = (...input: Message[]) => ({ service: "order", key: "o", input });
const noted = (node: TestNode, key: string): Promise<string> => node.answer("noted", { service: "stock", key });
const pending = async (world: World, node: TestNode) =>
  (await world.until(node.running.work({ boxes: ["outbox"] }))).work;

/** Another key of its shard. */
function neighbourOf(key: string): string {
  const keys = Array.from({ length: 50 }, (_, number) => `n${number}`);
  return keys.find((other) => shardOf("stock", other, shards) === shardOf("stock", key, shards))!;
}

test("what a service without keys calls for a message is done, though a later message of its sender came there first", async () => {
  await using world = World.create("memory", shards);
  const node = await world.start({ system: orderSystem() });
  const told = tell(
    { stock: "a", text: "called", via: "notifier" },
    { stock: neighbourOf("a"), text: "sent", via: "stock" },
  );
  assert.equal(await node.answer("tell", told), "done");
  await world.advance(5_000);
  assert.equal(await noted(node, "a"), '["called"]');
  assert.equal(await noted(node, neighbourOf("a")), '["sent"]');
  assert.deepEqual(await pending(world, node), []);
});

test("a message that waits is delivered, though a later one to a service without keys has called its shard meanwhile", async () => {
  let isAudited = false;
  const schedule = { attemptsMax: 1_000, ageMaxMs: 600_000, backoffBaseMs: 500, backoffMaxMs: 500 };
  await using world = World.create("memory", shards);
  const node = await world.start({ system: orderSystem(() => isAudited), limits: { schedule } });
  await node.answer("audit", { service: "stock", key: "a", id: "audit", waitFor: "acceptance" });
  assert.equal(await node.answer("tell", tell({ stock: "a", text: "waits", via: "stock" })), "done");
  await world.advance(1_000);
  const neighbour = neighbourOf("a");
  assert.equal(await node.answer("tell", tell({ stock: neighbour, text: "called", via: "notifier" })), "done");
  await world.advance(1_000);
  assert.equal(await noted(node, neighbour), '["called"]');
  assert.equal(await noted(node, "a"), "[]", "it still waits");
  isAudited = true;
  await world.advance(120_000);
  assert.equal(await noted(node, "a"), '["waits"]');
  assert.deepEqual(await pending(world, node), []);
});

test("a message to a service without keys waits for as long as whom that calls is blocked, and loses no attempts by it", async () => {
  let isAudited = false;
  const schedule = { attemptsMax: 1_000, ageMaxMs: 600_000, backoffBaseMs: 500, backoffMaxMs: 500 };
  await using world = World.create("memory", shards);
  const node = await world.start({ system: orderSystem(() => isAudited), limits: { schedule } });
  await node.answer("audit", { service: "stock", key: "a", id: "audit", waitFor: "acceptance" });
  assert.equal(await node.answer("tell", tell({ stock: "a", text: "called", via: "notifier" })), "done");
  await world.advance(120_000);
  const [waiting] = await pending(world, node);
  assert.equal(waiting?.parked, null, "it still waits");
  assert.ok(waiting.attempts <= 1, `${waiting.attempts} attempts`);
  isAudited = true;
  await world.advance(60_000);
  assert.equal(await noted(node, "a"), '["called"]');
  assert.deepEqual(await pending(world, node), []);
});
