/**
 * Whoever waits for a call may leave: its deadline passes, it is cancelled, its node dies. That is told down the whole
 * chain, over links: every handler's signal fires, and nothing more is begun for it. What is durable goes on.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { http } from "../../src/adapters/http/index.ts";
import { command, defineInterface, defineSystem, implement, query, startSystem } from "../../src/index.ts";
import { Gate } from "../guarantees/counter-system.ts";
import type { TestNode, World } from "../guarantees/world.ts";
import { until } from "../host/running-system.ts";
import { startNodes, wideWorld } from "./nodes.ts";

const Keys = z.object({ shop: z.string(), stock: z.string() });

const Stock = defineInterface("stock", { key: z.string(), operations: { check: query({ output: z.number() }) } });
const Shop = defineInterface("shop", {
  key: z.string(),
  operations: {
    sell: command({ input: Keys, output: z.number() }),
    view: query({ input: Keys, output: z.number() }),
    sold: query({ output: z.number() }),
  },
});
const Saga = defineInterface("saga", {
  key: z.string(),
  operations: { run: command({ durable: true, input: Keys, output: z.number() }) },
});
const Desk = defineInterface("desk", {
  operations: {
    order: command({ input: Keys, output: z.number() }),
    look: query({ input: Keys, output: z.number() }),
    start: command({ input: Keys, output: z.number() }),
  },
});

interface Signalled {
  readonly signal: AbortSignal;
}

/** A chain of three services over three nodes, whose last member waits; and what happened along it. */
class Chain {
  readonly gate = new Gate();
  /** Services whose handlers were begun, and those whose signals fired, in order. */
  readonly begun: string[] = [];
  readonly left: string[] = [];

  watch(name: string, { signal }: Signalled): void {
    this.begun.push(name);
    signal.addEventListener("abort", () => {
      if (!this.finished.has(name)) this.left.push(name);
    });
  }

  readonly finished = new Set<string>();

  readonly system = defineSystem({
    name: "test",
    services: [
      implement(Stock, {
        state: { version: 1, initial: () => ({ count: 7 }) },
        operations: {
          check: async (ctx) => {
            this.watch("stock", ctx);
            await this.gate.pass();
            this.finished.add("stock");
            return ctx.state.count;
          },
        },
      }),
      implement(Shop, {
        calls: [Stock],
        state: { version: 1, initial: () => ({ sold: 0 }) },
        operations: {
          sell: async (ctx, { stock }) => {
            this.watch("shop", ctx);
            const left = await ctx
              .to(Stock, stock)
              .check()
              // Whatever became of the first, it would try again: if it still could.
              .catch(() => ctx.to(Stock, stock).check());
            ctx.state.sold += 1;
            this.finished.add("shop");
            return left;
          },
          view: async (ctx, { stock }) => {
            this.watch("shop", ctx);
            const left = await ctx
              .to(Stock, stock)
              .check()
              .catch(() => ctx.to(Stock, stock).check());
            this.finished.add("shop");
            return left;
          },
          sold: (ctx) => ctx.state.sold,
        },
      }),
      implement(Saga, {
        calls: [Shop],
        state: { version: 1, initial: () => ({}) },
        operations: {
          run: async (ctx, keys) => {
            this.watch("saga", ctx);
            const left = await ctx.to(Shop, keys.shop).sell(keys);
            this.finished.add("saga");
            return left;
          },
        },
      }),
      implement(Desk, {
        calls: [Shop, Saga],
        operations: {
          order: (ctx, keys) => {
            this.watch("desk", ctx);
            return ctx.to(Shop, keys.shop).sell(keys);
          },
          look: (ctx, keys) => {
            this.watch("desk", ctx);
            return ctx.to(Shop, keys.shop).view(keys);
          },
          start: (ctx, keys) => {
            this.watch("desk", ctx);
            return ctx.to(Saga, "s").run(keys);
          },
        },
      }),
    ],
  });
}

/** The call comes in at the first node, the shop is on the second, and the stock on the third. */
async function startChain(world: World) {
  const chain = new Chain();
  const nodes = await startNodes(world, ["one", "two", "three"], { system: chain.system });
  const [one, two, three] = nodes as [TestNode, TestNode, TestNode];
  const keys = { shop: await keyAt(two, "shop"), stock: await keyAt(three, "stock") };
  const soldAt = (): Promise<string> => two.answer("sold", { service: "shop", key: keys.shop });
  return { chain, one, two, three, keys, soldAt };
}

async function keyAt({ running, name }: TestNode, service: string): Promise<string> {
  for (let number = 0; number < 1_000; number++) {
    const key = `key-${number}`;
    if ((await running.inspect(service, key)).owner === name) return key;
  }
  throw new Error(`no key of ${service} belongs to ${name}`);
}

const whole = ["desk", "shop", "stock"];

for (const operation of ["order", "look"]) {
  test(`a caller that goes is told down the whole chain, and nothing more is begun for it (${operation})`, async () => {
    await using world = wideWorld();
    const { chain, one, keys, soldAt } = await startChain(world);
    const caller = new AbortController();
    const asked = one.ask(operation, { service: "desk", input: keys, signal: caller.signal });
    await world.settle();
    assert.deepEqual(chain.begun, whole);
    caller.abort();
    await world.settle();
    assert.match(String(asked.answer), /^(cancelled|deadline_exceeded) /);
    assert.deepEqual([...chain.left].sort(), whole);
    chain.gate.open();
    await world.advance(30_000);
    assert.deepEqual(chain.begun, whole, "nothing was tried again");
    assert.equal(await soldAt(), "0");
  });

  test(`a deadline that passes ends the whole chain at that instant (${operation})`, async () => {
    await using world = wideWorld();
    const { chain, one, keys, soldAt } = await startChain(world);
    const asked = one.ask(operation, { service: "desk", input: keys, timeoutMs: 1_000 });
    await world.advance(990);
    assert.deepEqual([chain.begun, chain.left], [whole, []]);
    await world.advance(20);
    assert.match(String(asked.answer), /^deadline_exceeded /);
    assert.deepEqual([...chain.left].sort(), whole);
    chain.gate.open();
    await world.advance(30_000);
    assert.deepEqual(chain.begun, whole);
    assert.equal(await soldAt(), "0");
  });

  test(`a node that dies takes with it what others do for it (${operation})`, async () => {
    await using world = wideWorld();
    const { chain, one, keys, soldAt } = await startChain(world);
    void one.ask(operation, { service: "desk", input: keys, timeoutMs: 60_000 });
    await world.settle();
    assert.deepEqual(chain.begun, whole);
    one.kill();
    await world.advance(100);
    assert.deepEqual([...chain.left].sort(), ["shop", "stock"], "the desk is dead and hears nothing");
    chain.gate.open();
    await world.advance(30_000);
    assert.deepEqual(chain.begun, whole);
    assert.equal(await soldAt(), "0");
  });
}

test("a call for which nobody waits any more when its turn comes is not begun", async () => {
  await using world = wideWorld();
  const { chain, one, two, keys } = await startChain(world);
  const first = one.ask("order", { service: "desk", input: keys });
  await world.settle();
  const caller = new AbortController();
  const second = one.ask("order", { service: "desk", input: keys, signal: caller.signal });
  const third = one.ask("order", { service: "desk", input: keys, timeoutMs: 500 });
  await world.advance(100);
  caller.abort();
  await world.advance(500);
  assert.match(`${second.answer} ${third.answer}`, /^(cancelled|deadline_exceeded) \S+ deadline_exceeded /);
  chain.gate.open();
  assert.equal(await world.until(first), "7");
  await world.advance(1_000);
  assert.equal(chain.begun.filter((name) => name === "shop").length, 1);
  assert.equal(await two.answer("sold", { service: "shop", key: keys.shop }), "1");
});

test("a caller that has gone before its entity was in memory begins nothing", async () => {
  for (const operation of ["order", "look"]) {
    await using world = wideWorld();
    const { chain, one, two, keys } = await startChain(world);
    const hold = two.store.hold("read");
    const caller = new AbortController();
    const asked = one.ask(operation, { service: "desk", input: keys, signal: caller.signal });
    await world.settle();
    assert.deepEqual(chain.begun, ["desk"]);
    caller.abort();
    await world.settle();
    hold.release();
    await world.advance(1_000);
    assert.match(String(asked.answer), /^(cancelled|deadline_exceeded) /);
    assert.deepEqual(chain.begun, ["desk"], operation);
  }
});

test("a call that was cancelled before it was made begins nothing", async () => {
  for (const [service, operation] of [
    ["desk", "order"],
    ["desk", "look"],
    ["shop", "sell"],
    ["shop", "view"],
  ] as const) {
    await using world = wideWorld();
    const { chain, one, two, keys } = await startChain(world);
    for (const node of [one, two]) {
      const key = service === "shop" ? { key: keys.shop } : {};
      const asked = node.ask(operation, { service, ...key, input: keys, signal: AbortSignal.abort() });
      await world.advance(100);
      assert.match(String(asked.answer), /^(cancelled|deadline_exceeded) \(not-happened\)/, `${service}.${operation}`);
      assert.deepEqual(chain.begun, []);
    }
  }
});

test("what is durable is not ended by its caller's leaving, nor by its deadline, nor by its node's death", async () => {
  for (const how of ["goes", "is late", "dies"]) {
    await using world = wideWorld();
    const { chain, one, two, keys, soldAt } = await startChain(world);
    const caller = new AbortController();
    void one.ask("start", { service: "desk", input: keys, signal: caller.signal, timeoutMs: 1_000 });
    await world.advance(100);
    assert.deepEqual(chain.begun, ["desk", "saga", "shop", "stock"], how);
    const { owner } = await two.running.inspect("saga", "s");
    if (how === "goes") caller.abort();
    if (how === "is late") await world.advance(1_500);
    if (how === "dies") one.kill();
    await world.advance(200);
    if (how !== "dies" || owner !== "one") assert.ok(!chain.left.includes("saga"), how);
    if (how !== "dies") assert.deepEqual(chain.left, ["desk"]);
    chain.gate.open();
    await world.advance(30_000);
    assert.equal(await soldAt(), "1", how);
    assert.ok(chain.finished.has("saga"));
  }
});

test("an HTTP client that closes its connection is told down the whole chain", async () => {
  const chain = new Chain();
  const { services } = chain.system;
  const system = defineSystem({ name: "leaving", services, adapters: [http({ port: 0 })] });
  await using running = await startSystem(system, { adapters: true });
  const client = new AbortController();
  const answer = fetch(`${running.urls[0]}/desk/order`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ shop: "a", stock: "b" }),
    signal: client.signal,
  });
  await until("the whole chain has begun", () => chain.begun.length === 3);
  client.abort();
  await assert.rejects(answer);
  await until("all have heard of it", () => chain.left.length === 3);
  assert.deepEqual([...chain.left].sort(), whole);
});
