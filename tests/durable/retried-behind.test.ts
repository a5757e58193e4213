/** A durable command that an operator has tried again, and that gets its turn behind commands whose change is not durable yet. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { command, defineInterface, defineSystem, implement, query } from "synod";
import { z } from "zod";
import { Gate } from "../guarantees/counter-system.ts";
import { storeFull } from "../guarantees/fault-store.ts";
import { type TestNode, World } from "../guarantees/world.ts";

const Job = defineInterface("job", {
  key: z.string(),
  operations: {
    work: command({ durable: true }),
    write: command(),
    /** Has the turn for a while, and fails. */
    hold: command(),
    writes: query({ output: z.number() }),
  },
});

const job = (id: string) => ({ service: "job", key: "one", id, timeoutMs: 60_000 });
const schedule = { attemptsMax: 2, ageMaxMs: 600_000, backoffBaseMs: 10, backoffMaxMs: 10 };

async function parkedIn(world: World, node: TestNode): Promise<string | undefined> {
  const { work } = await world.until(node.running.work({ boxes: ["inbox"], parked: true }));
  return work[0]?.id;
}

test("where the change before it is not written after its attempt was counted, only one attempt of it is begun", async () => {
  let broken = true;
  let starts = 0;
  const [work, held] = [new Gate(), new Gate()];
  const service = implement(Job, {
    state: { version: 1, initial: () => ({ writes: 0 }) },
    operations: {
      work: async () => {
        if (broken) throw new Error("not yet");
        starts += 1;
        await work.pass();
      },
      write: (ctx) => {
        ctx.state.writes += 1;
      },
      hold: async () => {
        await held.pass();
        throw new Error("in vain");
      },
      writes: (ctx) => ctx.state.writes,
    },
  });
  await using world = World.create();
  const system = defineSystem({ name: "test", services: [service] });
  const node = await world.start({ system, limits: { schedule } });
  assert.equal(await node.answer("work", job("work")), "failed_precondition (unknown)");
  const id = (await parkedIn(world, node))!;
  broken = false;
  const commits = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const;
  let meets = 0;
  node.store.intercept("commit", async (batch, forward) => {
    const number = ++meets;
    await commits[number - 1]?.promise;
    return number === 2 ? storeFull(batch, forward) : forward();
  });
  const retried = node.running.operate(id, "retry");
  await world.settle();
  const written = node.ask("write", job("write"));
  const holding = node.ask("hold", job("hold"));
  await world.settle();
  assert.deepEqual(
    [meets, held.visits],
    [1, 1],
    "the retry is being written, the change waits, and another has the turn",
  );
  commits[0].resolve();
  await retried;
  await world.settle();
  held.open();
  await world.settle();
  assert.equal(meets, 2, "the attempt is counted in the commit behind that of the change");
  commits[1].resolve();
  await world.advance(1_000);
  assert.equal(starts, 1);
  assert.match(written.answer!, /^unavailable/);
  assert.ok(holding.answer !== undefined);
  work.open();
  assert.match(await node.answer("work", job("work")), /^done/);
  assert.equal(await node.answer("writes", job("writes")), "0");
});
