/** Durable commands whose entity changes its owner, or whose calls and operators come from another node. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SynodError } from "../../src/errors.ts";
import type { JournaledItem } from "../../src/ports/work.ts";
import { Gate } from "../guarantees/counter-system.ts";
import { answerLost, requestLost, storeFull } from "../guarantees/fault-store.ts";
import { type Ask, type TestNode, World } from "../guarantees/world.ts";
import { join, startNodes, wideWorld } from "../routing/nodes.ts";
import { Payment, Rates, type Running, Saga, type Scripts, Stock, sagaSystem } from "./saga-system.ts";

const schedule = { attemptsMax: 4, ageMaxMs: 600_000, backoffBaseMs: 2_000, backoffMaxMs: 2_000 };
const limits = { schedule, timeoutDefaultMs: 60_000 };
const run = (input: string, more: Ask = {}): Ask => ({ service: "saga", key: "one", input, ...more });

/** A key of that service whose owner is that node. */
async function keyAt(owner: TestNode, service: string): Promise<string> {
  for (let number = 0; number < 1_000; number++) {
    const key = `key-${number}`;
    if ((await owner.running.inspect(service, key)).owner === owner.name) return key;
  }
  throw new Error(`${owner.name} has nothing of ${service}`);
}

async function inboxOf(node: TestNode, key: string): Promise<readonly JournaledItem[]> {
  const { shard: number } = await node.running.inspect("saga", key);
  const [result] = await node.store.read([
    { kind: "inboxOf", shard: { service: "saga", number }, key, after: 0, limit: 10 },
  ]);
  assert.ok(result?.kind === "inboxOf");
  return result.page.rows;
}

/** Kills the node and has its lease ended, as a supervisor does. */
async function crash(world: World, node: TestNode): Promise<void> {
  node.kill();
  const behind = await world.connect();
  await behind.endLease({ node: node.name, incarnation: node.running.incarnation });
}

test("an owner that dies between two attempts leaves a command that the next one finishes, without being asked", async () => {
  let broken = true;
  const system = sagaSystem({
    run: {
      order: async (ctx) => {
        const taken = await ctx.to(Stock, "s").take(1);
        if (broken) throw new Error("not yet");
        return taken;
      },
    },
  });
  await using world = World.create();
  const first = await world.start({ system, limits });
  void first.ask("run", run("order", { id: "k" }));
  await world.advance(10);
  assert.equal((await inboxOf(first, "one")).length, 1);
  await crash(world, first);
  broken = false;
  const second = await world.start({ system, limits });
  await world.advance(100);
  assert.deepEqual(await inboxOf(second, "one"), []);
  assert.equal(await second.answer("run", run("order", { id: "k" })), "1 (replayed)");
  assert.equal(await second.answer("taken", { service: "stock", key: "s" }), "[1]");
});

test("a command is taken up however often the store fails to give its entity", async () => {
  let broken = true;
  const take = async (ctx: Running): Promise<number> => {
    if (broken) throw new Error("not yet");
    return await ctx.to(Stock, "s").take(1);
  };
  await using world = World.create();
  const system = sagaSystem({ run: { take } });
  const first = await world.start({ system, limits });
  void first.ask("run", run("take", { id: "k" }));
  await world.advance(10);
  await crash(world, first);
  broken = false;
  const second = await world.begin({ system, limits });
  let failures = 0;
  const mend = second.store.intercept("read", async (asked, forward) => {
    if (!asked.some((read) => read.kind === "entity" && read.key === "one")) return forward();
    failures += 1;
    throw new SynodError("unavailable", "the connection to the store was lost");
  });
  await world.until(second.started);
  await world.advance(5_000);
  assert.ok(failures > 1, `${failures} reads failed`);
  mend();
  await world.advance(1_000);
  assert.deepEqual(await inboxOf(second, "one"), []);
  assert.equal(await second.answer("taken", { service: "stock", key: "s" }), "[1]");
});

test("a command that kills its node each time is parked after its attempts: they are counted before they start", async () => {
  let current: TestNode | null = null;
  let runs = 0;
  const system = sagaSystem({
    run: {
      deadly: async () => {
        runs += 1;
        current?.kill();
        await new Promise(() => {});
      },
    },
  });
  await using world = World.create();
  const client = run("deadly", { id: "k" });
  for (let lives = 1; ; lives++) {
    assert.ok(lives <= schedule.attemptsMax + 2, "it kills for ever");
    current = await world.start({ system, limits });
    if (lives === 1) {
      // It lives until its acceptance is durable.
      const node: TestNode = current;
      current = null;
      void node.ask("run", client);
      await world.advance(10);
      current = node;
      node.kill();
    } else {
      await world.advance(5_000);
    }
    if (!current.paused) break;
    const behind = await world.connect();
    await behind.endLease({ node: "node-1", incarnation: current.running.incarnation });
  }
  const [item] = await inboxOf(current, "one");
  assert.ok(item?.parked);
  assert.equal(item.attempts, schedule.attemptsMax);
  assert.equal(runs, schedule.attemptsMax);
});

test("a handoff takes an attempt along: it ends at once, is not counted, and its caller gets the outcome from the next owner", async () => {
  const gate = new Gate();
  const system = sagaSystem({
    rate: async () => {
      await gate.pass();
      return 4;
    },
    run: {
      slow: async (ctx) => [await ctx.to(Stock, "s").take(1), await ctx.to(Rates).rate()],
    },
  });
  await using world = wideWorld();
  const [first, second] = await startNodes(world, ["node-1", "node-2"], { system, limits });
  const key = await keyAt(first!, "saga");
  const asked = second!.ask("run", run("slow", { key, id: "k" }));
  await world.advance(50);
  const before = await inboxOf(second!, key);
  assert.equal(before[0]?.attempts, 1);
  const started = first!.clock.monotonic();
  const drained = first!.running.drain(10_000);
  await world.until(drained);
  assert.ok(first!.clock.monotonic() - started < 1_500, "nobody waits for the attempt");
  const attempts = async (): Promise<number | undefined> => (await inboxOf(second!, key))[0]?.attempts;
  // Its successor starts as soon as the next owner has claimed the shard and read its inbox.
  for (let passed = 0; passed < 3_000 && gate.visits < 2; passed += 100) await world.advance(100);
  assert.equal(gate.visits, 2, "the next owner makes the call again");
  assert.equal((await second!.running.inspect("saga", key)).owner, "node-2");
  assert.equal(await attempts(), 1, "the abandoned one was taken back, its successor counts");
  gate.open();
  await world.advance(1_000);
  assert.match(String(asked.answer), /^\[1,4\]/);
  assert.equal(await second!.answer("taken", { service: "stock", key: "s" }), "[1]");
});

test("calls between nodes keep their ids, whatever is lost on the way; sagas call sagas", async () => {
  const run: Record<string, NonNullable<Scripts["run"]>[string]> = {};
  const parent: Record<string, NonNullable<Scripts["parent"]>[string]> = {};
  const system = sagaSystem({ run, parent });
  await using world = wideWorld();
  const [first, second, third] = await startNodes(world, ["node-1", "node-2", "node-3"], { system, limits });
  const [child, stock, payment] = [
    await keyAt(second!, "saga"),
    await keyAt(third!, "stock"),
    await keyAt(first!, "payment"),
  ];
  run.child = async (ctx) => {
    const taken = await Promise.all([ctx.to(Stock, stock).take(1), ctx.to(Stock, stock).take(1)]);
    return [...taken, await ctx.to(Payment, payment).charge(5)];
  };
  parent.both = async (ctx) => [await ctx.to(Saga, child).run("child"), await ctx.to(Saga, child).run("child")];
  const key = await keyAt(first!, "parent");
  for (const from of ["node-1", "node-2"]) {
    world.network.once({ from: "node-3", to: "node-2", kind: "reply" }, "lost");
    const asked = third!.ask("run", { service: "parent", key, input: "both", id: from });
    await world.advance(20_000);
    const base = from === "node-1" ? 0 : 4;
    const pairs = [
      [base + 1, base + 2, 5],
      [base + 3, base + 4, 5],
    ];
    assert.equal(asked.answer, JSON.stringify(pairs));
  }
  assert.equal(await first!.answer("taken", { service: "stock", key: stock }), "[1,1,1,1,1,1,1,1]");
  assert.equal(await first!.answer("charged", { service: "payment", key: payment }), "[5,5,5,5]");
});

test("a trace context that no link carries is left out of a saga's calls, and does not keep it from its end", async () => {
  const scripts: Record<string, NonNullable<Scripts["run"]>[string]> = {};
  const system = sagaSystem({ run: scripts });
  await using world = wideWorld();
  const [first, second] = await startNodes(world, ["node-1", "node-2"], { system, limits });
  const [key, near, far] = [await keyAt(first!, "saga"), await keyAt(first!, "stock"), await keyAt(second!, "payment")];
  scripts.move = async (ctx) => [await ctx.to(Stock, near).take(1), await ctx.to(Payment, far).charge(5)];
  const traceparent = `01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-${"a".repeat(300)}`;
  assert.equal(await first!.answer("run", run("move", { key, id: "k", traceparent })), "[1,5]");
  assert.deepEqual(await inboxOf(first!, key), []);
});

test("a message to a durable command is answered when it is accepted; an operator at any node reaches it", async () => {
  const gate = new Gate();
  let broken = true;
  const system = sagaSystem({
    run: {
      slow: async () => {
        await gate.pass();
        if (broken) throw new Error("cannot");
        return "done";
      },
    },
  });
  await using world = wideWorld();
  const [first, second] = await startNodes(world, ["node-1", "node-2"], { system, limits });
  const key = await keyAt(first!, "saga");
  for (const node of [second!, first!]) {
    const asked = node.ask("run", run("slow", { key, id: "k", waitFor: "acceptance" }));
    await world.advance(20);
    assert.match(String(asked.answer), /^done/, node.name);
  }
  assert.equal(gate.visits, 1);
  gate.open();
  await world.advance(20_000);
  const [item] = await inboxOf(first!, key);
  assert.ok(item?.parked);
  const { shard: number } = await first!.running.inspect("saga", key);
  broken = false;
  const id = `saga/${number}/${item.number}`;
  await world.until(second!.running.operate(id, "retry"));
  await world.advance(100);
  assert.equal(await second!.answer("run", run("slow", { key, id: "k" })), '"done" (replayed)');
  await assert.rejects(world.until(second!.running.operate(id, "retry")), { code: "not_found" });
});

test("a store that is full, or loses requests and answers, at any commit, changes nothing about how it ends", async () => {
  for (const fault of [storeFull, requestLost, answerLost]) {
    for (let commit = 0; commit < 6; commit++) {
      const system = sagaSystem({
        run: {
          order: async (ctx) => [
            await ctx.to(Stock, "s").take(1),
            await ctx.to(Payment, "p").charge(2),
            await ctx.step("code", () => 7),
          ],
        },
      });
      await using world = World.create();
      const node = await world.start({ system, limits });
      let commits = 0;
      node.store.intercept("commit", (batch, forward) => (commits++ === commit ? fault(batch, forward) : forward()));
      const asked = node.ask("run", run("order", { id: "k" }));
      await world.advance(10_000);
      // An acceptance that was not written did not happen, and says so.
      const words = `${fault.name} at commit ${commit}`;
      if (commit === 0 && fault === storeFull) assert.equal(asked.answer, "unavailable (not-happened)", words);
      else assert.match(String(asked.answer), /^\[1,2,7\]/, words);
      assert.match(await node.answer("run", run("order", { id: "k" })), /^\[1,2,7\]/, words);
      assert.equal(await node.answer("taken", { service: "stock", key: "s" }), "[1]", words);
      assert.equal(await node.answer("charged", { service: "payment", key: "p" }), "[2]", words);
      assert.deepEqual(await inboxOf(node, "one"), [], words);
    }
  }
});

test("a node that joins takes over entities with commands that wait, and they end there", async () => {
  let broken = true;
  const system = sagaSystem({
    run: {
      order: () => {
        if (broken) throw new Error("not yet");
        return "done";
      },
    },
  });
  await using world = wideWorld();
  const patient = { ...limits, schedule: { ...schedule, attemptsMax: 1_000 } };
  const [first] = await startNodes(world, ["node-1"], { system, limits: patient });
  const asked = Array.from({ length: 12 }, (_, index) =>
    first!.ask("run", run("order", { key: `key-${index}`, id: "k" })),
  );
  await world.advance(10);
  const second = await join(world, "node-2", { system, limits: patient });
  broken = false;
  await world.advance(10_000);
  for (const one of asked) assert.match(String(one.answer), /^"done"/);
  assert.ok(second.running.status().commands > 0, "some of them ran on the new node");
});
