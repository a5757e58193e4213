/** What an attempt of a durable command sees, and what follows one that does not finish it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SynodError } from "../../src/index.ts";
import type { InboxItem, JournaledItem } from "../../src/ports/work.ts";
import { Gate } from "../guarantees/counter-system.ts";
import { refuses } from "../guarantees/fault-store.ts";
import { type Ask, type TestNode, World } from "../guarantees/world.ts";
import { Payment, Post, Rates, type Running, type Scripts, Shipping, Stock, sagaSystem } from "./saga-system.ts";

const schedule = { attemptsMax: 3, ageMaxMs: 600_000, backoffBaseMs: 100, backoffMaxMs: 1_000 };
const limits = { schedule, attemptTimeoutMs: 20_000, timeoutDefaultMs: 5_000 };
const run = (input: string, more: Ask = {}): Ask => ({ service: "saga", key: "one", input, ...more });
const stateOf = { service: "saga", key: "one" };

/** The items that the store holds of saga/one, with their journals. */
async function inboxOf(node: TestNode): Promise<readonly JournaledItem[]> {
  const { shard: number } = await node.running.inspect("saga", "one");
  const shard = { service: "saga", number };
  const [result] = await node.store.read([{ kind: "inboxOf", shard, key: "one", after: 0, limit: 10 }]);
  assert.ok(result?.kind === "inboxOf");
  return result.page.rows;
}

function parkedOf(item: InboxItem | undefined): {
  readonly code: string;
  readonly message: string;
  readonly thrown?: string;
} {
  assert.ok(item?.parked, "it is parked");
  return JSON.parse(item.parked) as { code: string; message: string; thrown?: string };
}

/** Three calls, of which the middle one compensates the first when it is declined. */
const order: NonNullable<Scripts["run"]>[string] = async (ctx: Running) => {
  const rate = await ctx.to(Rates).rate();
  const left = await ctx.to(Stock, "s").take.safe(1);
  const paid = await ctx.to(Payment, "p").charge.safe(rate);
  const shipped = await ctx.to(Shipping, "x").ship.safe("box");
  const posted = await ctx.to(Post).send.safe("hello");
  const result = [left, paid, shipped, posted].map((one) => (one.ok ? (one.value ?? "done") : one.error.code));
  ctx.state = { ...ctx.state, result };
  return result;
};

const steps = ["rate", "take", "charge", "ship", "send"] as const;
const declaredErrors = { take: "soldOut", charge: "declined", ship: "closed", send: "moved" };
const usual = { take: 1, charge: 2, ship: "box-1", send: "done" };

for (const trouble of ["sheds", "times out"] as const) {
  test(`a durable command whose callee ${trouble}, at whatever step, ends as if it had not`, async () => {
    for (const step of steps) {
      // More often than attempts may fail: what waits is not counted.
      let left = schedule.attemptsMax + 1;
      const hinder = async (at: string): Promise<void> => {
        if (at !== step || left-- <= 0) return;
        if (trouble === "sheds") throw new SynodError("resource_exhausted", "too much to do");
        await new Promise(() => {});
      };
      const system = sagaSystem({
        run: { order },
        rate: async () => {
          await hinder("rate");
          return 2;
        },
        before: hinder,
        sent: () => hinder("send"),
      });
      await using world = World.create();
      const node = await world.start({ system, limits });
      const asked = node.ask("run", run("order", { id: "k", timeoutMs: 120_000 }));
      await world.advance(100_000);
      assert.equal(asked.answer, JSON.stringify(Object.values(usual)), `${step} ${trouble}`);
      assert.ok(left <= 0, "the trouble was met");
      assert.equal(await node.answer("taken", { service: "stock", key: "s" }), "[1]");
      assert.equal(await node.answer("charged", { service: "payment", key: "p" }), "[2]");
      assert.equal(await node.answer("shipped", { service: "shipping", key: "x" }), '["box"]');
      assert.equal(await node.answer("shipped", { service: "shipping", key: "post" }), '["hello"]');
      assert.deepEqual(await inboxOf(node), []);
    }
  });
}

test("a declared error of a callee, at whatever step, reaches the handler, once and for all attempts", async () => {
  for (const step of ["take", "charge", "ship", "send"] as const) {
    let [declined, failures] = [0, 0];
    const system = sagaSystem({
      declines: (operation) => operation === step && declined++ === 0,
      run: {
        order: async (ctx) => {
          const result = await order(ctx);
          // By now the callee would say yes, and what it said stands.
          if (failures++ === 0) throw new Error("the first attempt fails at its end");
          return result;
        },
      },
    });
    await using world = World.create();
    const node = await world.start({ system, limits });
    const expected = JSON.stringify(Object.values({ ...usual, [step]: declaredErrors[step] }));
    const answer = await node.answer("run", run("order", { id: "k" }));
    // Letters go through the same shipping service, which may be closed for them.
    assert.equal(answer, expected, step);
    assert.equal(failures, 2);
  }
});

test("a handler that always throws is parked with its reason after its attempts, and gives the turn back if it called nobody", async () => {
  let runs = 0;
  const system = sagaSystem({
    run: {
      poison: () => {
        runs += 1;
        throw new Error("cannot");
      },
    },
  });
  await using world = World.create();
  const node = await world.start({ system, limits });
  const asked = node.ask("run", run("poison", { id: "k", timeoutMs: 60_000 }));
  await world.advance(10_000);
  assert.equal(asked.answer, "failed_precondition (unknown)");
  assert.equal(runs, schedule.attemptsMax);
  const [item] = await inboxOf(node);
  assert.equal(item?.attempts, schedule.attemptsMax);
  assert.equal(item?.holdsTurn, false);
  assert.equal(parkedOf(item).code, "internal");
  assert.match(parkedOf(item).message, /^3 attempts failed, the last one: saga\/one\.run failed/);
  assert.match(parkedOf(item).thrown!, /^Error: .*, at .*attempts\.test\.ts:\d+/, "for operators");
  const told = node.log.filter(({ level }) => level === "error" || level === "warn");
  const [first, second, third, ...parked] = told.map(({ message, fields }) => [
    message,
    fields?.item,
    fields?.attempts,
  ]);
  const failed = (attempts: number) => ["saga/one.run failed", item?.number, attempts];
  assert.deepEqual([first, second, third], [failed(1), failed(2), failed(3)], "one line for each attempt");
  assert.equal(parked.length, 1, "and one for the end");
  assert.equal(await node.answer("touch", stateOf), "1");
  assert.equal(
    await node.answer("run", run("poison", { id: "k" })),
    "failed_precondition (unknown)",
    "a repeat is told",
  );
  const accepted = { id: "k", waitFor: "acceptance" } as const;
  assert.equal(await node.answer("run", run("poison", accepted)), "done", "it was accepted, and asked for no more");
  assert.equal(await node.answer("run", run("other", { id: "k" })), "invalid_argument (not-happened)");
  assert.equal(runs, schedule.attemptsMax, "what is parked does not run");
});

test("one that was parked after a call keeps its entity's turn until an operator has it tried again, or drops it", async () => {
  let broken = true;
  const system = sagaSystem({
    run: {
      order: async (ctx) => {
        const taken = await ctx.to(Stock, "s").take(1);
        if (broken) throw new Error("cannot");
        return taken;
      },
    },
  });
  await using world = World.create();
  const node = await world.start({ system, limits });
  void node.ask("run", run("order", { id: "k" }));
  await world.advance(30_000);
  const [item] = await inboxOf(node);
  assert.equal(item?.holdsTurn, true);
  assert.equal(await node.answer("touch", stateOf), "unavailable (not-happened)");
  assert.equal(await node.answer("run", run("order", { id: "another" })), "unavailable (not-happened)");
  assert.equal(await node.answer("state", stateOf), '{"touched":0}', "queries go on");
  assert.equal(await node.answer("run", run("order", { id: "k" })), "failed_precondition (unknown)");
  const accepted = { id: "k", waitFor: "acceptance" } as const;
  assert.equal(await node.answer("run", run("order", accepted)), "done", "it was accepted, and asked for no more");
  const { shard } = await node.running.inspect("saga", "one");
  const idOf = ({ number }: InboxItem): string => `saga/${shard}/${number}`;
  broken = false;
  await world.until(node.running.operate(idOf(item!), "retry"));
  await world.advance(1_000);
  assert.equal(await node.answer("run", run("order", { id: "k" })), "1 (replayed)");
  assert.equal(await node.answer("touch", stateOf), "1");
  broken = true;
  void node.ask("run", run("order", { id: "second" }));
  await world.advance(30_000);
  const [second] = await inboxOf(node);
  await world.until(node.running.operate(idOf(second!), "drop"));
  assert.deepEqual(await inboxOf(node), []);
  const [kept, ...others] = node.log.filter(({ message }) => message.startsWith("an operator dropped"));
  assert.equal(kept?.message, "an operator dropped the durable command saga/one.run", "nothing else is left of it");
  assert.deepEqual(others, []);
  const { id, principal, request, attempts, parked } = kept.fields!;
  assert.deepEqual([id, principal, request], [idOf(second!), second!.principal, second!.request]);
  const { code, message } = parkedOf(second);
  assert.deepEqual([attempts, parked], [second!.attempts, `${code}: ${message}`]);
  assert.equal(await node.answer("touch", stateOf), "2");
  assert.equal(await node.answer("taken", { service: "stock", key: "s" }), "[1,1]", "what it had done stays done");
  const gone = node.running.operate(idOf(item!), "drop");
  await assert.rejects(world.until(gone), { code: "not_found" });
});

test("an attempt that calls with another input, or ends without a call that an earlier one made, is parked as nondeterministic", async () => {
  for (const change of ["another input", "no call"]) {
    let runs = 0;
    const system = sagaSystem({
      run: {
        fickle: async (ctx) => {
          runs += 1;
          if (runs === 1 || change === "another input") await ctx.to(Stock, "s").take(runs);
          if (runs === 1) throw new Error("cannot");
          return "done";
        },
      },
    });
    await using world = World.create();
    const node = await world.start({ system, limits });
    const asked = node.ask("run", run("fickle", { id: "k" }));
    await world.advance(4_000);
    assert.equal(asked.answer, "failed_precondition (unknown)");
    const [item] = await inboxOf(node);
    assert.equal(parkedOf(item).code, "nondeterministic");
    assert.match(parkedOf(item).message, change === "no call" ? /without calling stock\/s\.take/ : /another input/);
    assert.equal(item?.holdsTurn, true);
    assert.equal(await node.answer("taken", { service: "stock", key: "s" }), "[1]");
    assert.equal(runs, 2);
  }
});

test("while it waits between attempts its entity is blocked: commands fail at once, queries go on, and it ends", async () => {
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
  const patient = { ...limits, schedule: { ...schedule, backoffBaseMs: 4_000, backoffMaxMs: 4_000 } };
  const node = await world.start({ system, limits: patient });
  const asked = node.ask("run", run("order", { id: "k", timeoutMs: 60_000 }));
  await world.advance(1);
  assert.equal(await node.ask("touch", stateOf), "unavailable (not-happened)");
  assert.equal(await node.answer("state", stateOf), '{"touched":0}');
  assert.equal(asked.answer, undefined);
  broken = false;
  await world.advance(4_000);
  assert.equal(asked.answer, '"done"');
  assert.equal(await node.answer("touch", stateOf), "1");
});

test("a caller whose deadline passes, or that goes, does not end what was accepted; a repeat joins it, and later reads its record", async () => {
  for (const leaving of ["deadline", "gone"]) {
    const gate = new Gate();
    let runs = 0;
    const system = sagaSystem({
      rate: async () => {
        await gate.pass();
        return 3;
      },
      run: {
        slow: async (ctx) => {
          runs += 1;
          return ctx.to(Rates).rate();
        },
      },
    });
    await using world = World.create();
    const node = await world.start({ system, limits: { ...limits, timeoutDefaultMs: 15_000 } });
    const caller = new AbortController();
    const asked = node.ask("run", run("slow", { id: "k", timeoutMs: 1_000, signal: caller.signal }));
    await world.advance(100);
    if (leaving === "gone") caller.abort();
    else await world.advance(1_000);
    await world.settle();
    assert.equal(asked.answer, "deadline_exceeded (unknown)");
    const repeat = node.ask("run", run("slow", { id: "k" }));
    await world.advance(500);
    assert.equal(repeat.answer, undefined);
    gate.open();
    await world.advance(10);
    assert.match(String(repeat.answer), /^3/);
    assert.equal(await node.answer("run", run("slow", { id: "k" })), "3 (replayed)");
    assert.equal(await node.answer("run", run("fast", { id: "k" })), "invalid_argument (not-happened)");
    assert.equal(runs, 1);
  }
});

test("ids of calls go by their target, not by their place among all: code that adds calls elsewhere repeats none", async () => {
  let extra = false;
  const script = async (ctx: Running): Promise<unknown> => {
    if (extra) await ctx.to(Shipping, "before").ship("new code");
    const first = await ctx.to(Stock, "s").take(1);
    const second = await ctx.to(Stock, "s").take(1);
    if (!extra) throw new Error("the first attempt of the old code");
    return [first, second];
  };
  await using world = World.create();
  const node = await world.start({ system: sagaSystem({ run: { order: script } }), limits });
  const asked = node.ask("run", run("order", { id: "k" }));
  await world.advance(0);
  extra = true;
  await world.advance(5_000);
  assert.equal(asked.answer, "[1,2]");
  assert.equal(await node.answer("taken", { service: "stock", key: "s" }), "[1,1]");
  assert.equal(await node.answer("shipped", { service: "shipping", key: "before" }), '["new code"]');
});

test("what a handler saw of a query is durable before anything leaves that could tell of it", async () => {
  let rate = 0;
  const system = sagaSystem({
    rate: () => ++rate,
    run: {
      order: async (ctx) => ctx.to(Payment, "p").charge(await ctx.to(Rates).rate()),
    },
  });
  await using world = World.create();
  const node = await world.start({ system, limits });
  assert.equal(await node.answer("run", run("order", { id: "k" })), "1");
  const batches = node.store.commits.map(({ batch }) => JSON.stringify(batch));
  const recorded = batches.findIndex((batch) => batch.includes('"outcome":"{\\"ok\\":true,\\"output\\":1}"'));
  const charged = batches.findIndex((batch) => batch.includes('"state":"{\\"done\\":[1]}"'));
  assert.ok(recorded >= 0 && recorded < charged, `recorded in commit ${recorded}, charged in commit ${charged}`);
});

test("outcomes come in the order of the calls, whatever order the answers have, so that a race has one winner", async () => {
  const gate = new Gate();
  const order: string[] = [];
  const system = sagaSystem({
    rate: async () => {
      await gate.pass();
      return 5;
    },
    run: {
      race: async (ctx) => {
        const slow = ctx.to(Rates).rate();
        const fast = ctx.to(Stock, "s").take(1);
        void slow.then(() => order.push("slow"));
        void fast.then(() => order.push("fast"));
        const winner = await Promise.race([slow, fast]);
        await Promise.all([slow, fast]);
        return winner;
      },
    },
  });
  await using world = World.create();
  const node = await world.start({ system, limits });
  const asked = node.ask("run", run("race"));
  await world.advance(100);
  assert.deepEqual(order, []);
  gate.open();
  await world.advance(10);
  assert.equal(asked.answer, "5");
  assert.deepEqual(order, ["slow", "fast"]);
});

test("two calls of one id are a fault that is named, and a step needs a name and a function", async () => {
  const system = sagaSystem({
    run: {
      twins: (ctx) => {
        const stock = ctx.to(Stock, "s", { id: "same" });
        return Promise.all([stock.take(1), ctx.to(Stock, "s", { id: "same" }).take(1)]);
      },
      nameless: (ctx) => ctx.step("", () => 1),
    },
  });
  await using world = World.create();
  const node = await world.start({ system, limits });
  void node.ask("run", run("twins", { id: "k" }));
  void node.ask("run", run("nameless", { id: "k", key: "two" }));
  await world.advance(20_000);
  assert.match(parkedOf((await inboxOf(node))[0]).message, /two calls of one id to stock\/s\.take/);
  assert.ok(node.logged(/a durable command of saga\/two is parked/));
});

test("a refused input is refused before anything is accepted; a stored one that new code refuses is parked at once", async () => {
  const gate = new Gate();
  await using world = World.create();
  const node = await world.start({ system: sagaSystem({ run: { hang: () => gate.pass() } }), limits });
  assert.equal(await node.answer("run", { ...run("hang"), input: 7 }), "invalid_argument (not-happened)");
  assert.deepEqual(await inboxOf(node), []);
  void node.ask("run", run("hang", { id: "k" }));
  await world.advance(10);
  node.kill();
  const behind = await world.connect();
  await behind.endLease({ node: "node-1", incarnation: node.running.incarnation });
  const picky = sagaSystem({}, "never");
  const next = await world.start({ system: picky, limits });
  await world.advance(1_000);
  const [item] = await inboxOf(next);
  assert.equal(parkedOf(item).code, "invalid_argument");
  assert.match(parkedOf(item).message, /^this code does not accept it: the input of saga\/one\.run/);
});

test("every attempt has the same instant, chance and ids, and knows how many there were", async () => {
  const seen: unknown[][] = [];
  const system = sagaSystem({
    run: {
      order: (ctx) => {
        seen.push([ctx.now, ctx.random(), ctx.uuid(), ctx.request.id, ctx.request.principal]);
        assert.equal(ctx.request.attempt, seen.length);
        if (seen.length < 3) throw new Error("not yet");
        return "done";
      },
    },
  });
  await using world = World.create();
  const node = await world.start({ system, limits });
  const asked = node.ask("run", run("order", { id: "k", timeoutMs: 60_000 }));
  await world.advance(10_000);
  assert.equal(asked.answer, '"done"');
  assert.deepEqual(seen, [seen[0], seen[0], seen[0]]);
});

test("an acceptance that the store does not take lets no call leave, and says that nothing has happened", async () => {
  const system = sagaSystem({ run: { order: (ctx) => ctx.to(Stock, "s").take(1) } });
  await using world = World.create();
  const node = await world.start({ system, limits });
  const undo = node.store.intercept("commit", refuses("one"));
  assert.equal(await node.answer("run", run("order", { id: "k" })), "internal (not-happened)");
  await world.advance(1_000);
  assert.equal(await node.answer("taken", { service: "stock", key: "s" }), "[]");
  undo();
  assert.equal(await node.answer("run", run("order", { id: "k" })), "1");
});
