/** What an operator does to a durable command is done, also long after its acceptance, and where the store could not write at first. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SynodError } from "../../src/index.ts";
import type { JournaledItem, ShardProgress } from "../../src/ports/work.ts";
import { Gate } from "../guarantees/counter-system.ts";
import { storeFull } from "../guarantees/fault-store.ts";
import { type TestNode, World } from "../guarantees/world.ts";
import { Stock, sagaSystem } from "./saga-system.ts";

const schedule = { attemptsMax: 3, ageMaxMs: 600_000, backoffBaseMs: 100, backoffMaxMs: 1_000 };
const asked = { service: "saga", key: "one", input: "order", id: "k", timeoutMs: 60_000 };
const stateOf = { service: "saga", key: "one" };

/** What the store holds of saga/one; undefined when it has nothing to do. */
async function itemOf(node: TestNode): Promise<JournaledItem | undefined> {
  const { shard: number } = await node.running.inspect("saga", "one");
  const shard = { service: "saga", number };
  const [result] = await node.store.read([{ kind: "inboxOf", shard, key: "one", after: 0, limit: 10 }]);
  assert.ok(result?.kind === "inboxOf");
  return result.page.rows[0];
}

async function operate(world: World, node: TestNode, action: "retry" | "drop"): Promise<void> {
  const { shard } = await node.running.inspect("saga", "one");
  const { number } = (await itemOf(node))!;
  await world.until(node.running.operate(`saga/${shard}/${number}`, action));
}

/** Time passes until the store says so. */
async function eventually(world: World, node: TestNode, holds: (item: JournaledItem | undefined) => boolean) {
  for (let passed = 0; passed < 120_000; passed += 100) {
    const item = await itemOf(node);
    if (holds(item)) return;
    await world.advance(100);
  }
  throw new Error("it never was so");
}

const isParked = (item: JournaledItem | undefined): boolean => item !== undefined && item.parked !== null;
const isDone = (item: JournaledItem | undefined): boolean => item === undefined;

test("one that is tried again when it is older than it may become waits for its callee, also at the next owner, and finishes", async () => {
  let trouble: "throws" | "waits" | "none" = "throws";
  let waits = 0;
  const system = sagaSystem({
    run: {
      order: async (ctx) => {
        if (trouble === "throws") throw new Error("cannot");
        return ctx.to(Stock, "s").take(1);
      },
    },
    before: () => {
      if (trouble !== "waits") return;
      waits += 1;
      throw new SynodError("unavailable", "it is away");
    },
  });
  await using world = World.create();
  const limits = { schedule: { ...schedule, ageMaxMs: 20_000 }, attemptTimeoutMs: 500 };
  const first = await world.start({ system, limits });
  void first.ask("run", asked);
  await eventually(world, first, isParked);
  await world.advance(30_000);
  trouble = "waits";
  await operate(world, first, "retry");
  await world.advance(5_000);
  assert.equal((await itemOf(first))?.parked, null, "it waits");
  const waitsBefore = waits;
  assert.ok(waitsBefore > 1, `${waitsBefore} calls`);
  first.kill();
  const second = await world.begin({ system, limits, node: "node-2" });
  // It lives in the same time.
  second.clock.pass(first.clock.wall() - second.clock.wall());
  await world.until(second.started);
  await world.advance(5_000);
  assert.equal((await itemOf(second))?.parked, null, "it waits at the next owner");
  assert.ok(waits > waitsBefore + 1, "which has tried it");
  await world.advance(30_000);
  assert.match((await itemOf(second))?.parked ?? "", /it was tried for 2\d{4} ms/, "and not for ever");
  trouble = "none";
  await operate(world, second, "retry");
  await eventually(world, second, isDone);
  assert.equal(await second.answer("taken", { service: "stock", key: "s" }), "[1]");
  assert.equal(await second.answer("touch", stateOf), "1");
});

/** One commit with such progress of an item comes back as not written. */
function failsOnce(node: TestNode, meets: (progress: ShardProgress) => boolean): () => boolean {
  let failed = false;
  node.store.intercept("commit", (batch, forward) => {
    if (failed || !batch.shards.some(({ progress }) => progress && meets(progress))) return forward();
    failed = true;
    return storeFull(batch, forward);
  });
  return () => failed;
}

test("one whose drop could not be written goes on", async () => {
  let broken = true;
  const system = sagaSystem({
    run: {
      order: () => {
        if (broken) throw new Error("not yet");
        return "done";
      },
    },
  });
  await using world = World.create();
  const waitMs = 20_000;
  const limits = { schedule: { ...schedule, backoffBaseMs: waitMs, backoffMaxMs: waitMs } };
  const node = await world.start({ system, limits });
  const answer = node.ask("run", asked);
  await eventually(world, node, (item) => item !== undefined);
  const failed = failsOnce(node, ({ itemsDropped }) => itemsDropped.length > 0);
  await assert.rejects(operate(world, node, "drop"), { code: "unavailable" });
  assert.ok(failed());
  broken = false;
  await eventually(world, node, isDone);
  assert.equal(answer.answer, '"done"');
  assert.equal(await node.answer("touch", stateOf), "1");
});

test("one whose retry could not be written stays parked, and the next retry runs it", async () => {
  let broken = true;
  const system = sagaSystem({
    run: {
      order: () => {
        if (broken) throw new Error("not yet");
        return "done";
      },
    },
  });
  await using world = World.create();
  const node = await world.start({ system, limits: { schedule } });
  void node.ask("run", asked);
  await eventually(world, node, isParked);
  broken = false;
  const failed = failsOnce(node, ({ items }) => items.length > 0);
  await assert.rejects(operate(world, node, "retry"), { code: "unavailable" });
  assert.ok(failed());
  await world.advance(1_000);
  assert.ok(isParked(await itemOf(node)));
  assert.equal(await node.answer("run", asked), "failed_precondition (unknown)", "it is parked to whoever asks");
  await operate(world, node, "retry");
  await eventually(world, node, isDone);
  assert.match(await node.answer("run", asked), /^"done"/);
});

test("one whose parking could not be written at first is parked with what its last attempt ended with", async () => {
  const system = sagaSystem({
    run: {
      order: () => {
        throw new Error("cannot");
      },
    },
  });
  await using world = World.create();
  const node = await world.start({ system, limits: { schedule } });
  void node.ask("run", asked);
  const failed = failsOnce(node, ({ items }) => items.some(({ parked }) => parked !== null));
  await eventually(world, node, isParked);
  assert.ok(failed());
  const { message } = JSON.parse((await itemOf(node))!.parked!) as { message: string };
  assert.match(message, /^3 attempts failed, the last one: saga\/one\.run failed/);
  assert.equal(await node.answer("touch", stateOf), "1");
});

test("one that gets its turn while a commit of its entity is under way, which then fails, has one attempt at a time", async () => {
  let broken = true;
  let starts = 0;
  const gate = new Gate();
  const system = sagaSystem({
    run: {
      order: async () => {
        if (broken) throw new Error("not yet");
        starts += 1;
        await gate.pass();
        return "done";
      },
    },
  });
  await using world = World.create();
  const node = await world.start({ system, limits: { schedule } });
  void node.ask("run", asked);
  await eventually(world, node, isParked);
  broken = false;
  const [retry, failed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let meets = 0;
  node.store.intercept("commit", async (batch, forward) => {
    meets += 1;
    if (meets === 1) await retry.promise;
    if (meets !== 2) return forward();
    // The touch is in it; by the time that it comes back the retried command has its turn.
    assert.ok(batch.shards.some(({ entities }) => entities.length > 0));
    await failed.promise;
    return storeFull(batch, forward);
  });
  const retried = operate(world, node, "retry");
  await world.settle();
  const touched = node.ask("touch", { ...stateOf, id: "touch" });
  await world.settle();
  retry.resolve();
  await world.settle();
  failed.resolve();
  await world.until(retried);
  await world.advance(1_000);
  assert.ok(meets > 2, "the commit failed");
  assert.equal(starts, 1);
  gate.open();
  await eventually(world, node, isDone);
  assert.match(await node.answer("run", asked), /^"done"/);
  assert.match(await world.until(touched), /^unavailable/);
});
