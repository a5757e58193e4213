/** Calls between services: what may be called, under which id, and what comes back. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SynodError } from "../../src/errors.ts";
import { type Acting, Counter, counterSystem, Rates, type Serving, Shelf, Stranger } from "./counter-system.ts";
import { World } from "./world.ts";

/** `to` as plain JavaScript sees it. */
type Untyped = (target: unknown, ...rest: unknown[]) => Record<string, (input?: unknown) => Promise<unknown>>;
const untyped = (ctx: object): Untyped => (ctx as { to: Untyped }).to;

describe("what a handler may call", () => {
  test("a keyed command may call queries and no commands, and only what its service names in calls", async () => {
    await using world = World.create();
    const act = {
      allowed: async (ctx: Acting) => [await ctx.to(Rates).rate(), await ctx.to(Shelf, "s").size()],
      "another command": (ctx: Acting) => untyped(ctx)(Shelf, "s").put!(1),
      stranger: (ctx: Acting) => untyped(ctx)(Stranger).greet!(),
      itself: (ctx: Acting) => untyped(ctx)(Counter, "b").value!(),
      nothing: (ctx: Acting) => untyped(ctx)(undefined),
      "a bad key": (ctx: Acting) => untyped(ctx)(Shelf, 5).size!(),
    };
    const node = await world.start({ system: counterSystem({ act }) });
    assert.equal(await node.answer("act", { input: "allowed" }), "[2,0]");
    for (const input of Object.keys(act).slice(1)) {
      assert.equal(await node.answer("act", { input }), "internal (not-happened)", input);
    }
    assert.equal(await node.answer("size", { service: "shelf", key: "s" }), "0");
  });

  test("queries may call queries only, keyed or not", async () => {
    await using world = World.create();
    const node = await world.start({
      system: counterSystem({
        look: {
          reads: async (ctx) => [await ctx.to(Rates).rate(), await ctx.to(Shelf, "s").size()],
          writes: (ctx) => untyped(ctx)(Shelf, "s").put!(1),
        },
        see: {
          reads: (ctx) => untyped(ctx)(Counter, "a").value!(),
          writes: (ctx) => untyped(ctx)(Counter, "a").add!(1),
        },
      }),
    });
    assert.equal(await node.answer("look", { input: "reads" }), "[2,0]");
    assert.equal(await node.answer("look", { input: "writes" }), "internal (not-happened)");
    assert.equal(await node.answer("see", { service: "desk", input: "reads" }), "0");
    assert.equal(await node.answer("see", { service: "desk", input: "writes" }), "internal (not-happened)");
    assert.equal(await node.answer("value"), "0");
  });

  test("a key that no URL can say is refused wherever a key is given", async () => {
    await using world = World.create();
    const node = await world.start({ system: counterSystem() });
    for (const key of [".", ".."]) {
      const refusal = { code: "invalid_argument", message: /cannot be "\.\.?": it could not be part of a URL/ };
      await assert.rejects(world.until(node.running.inspect("counter", key)), refusal);
      assert.equal(await node.answer("add", { key, input: 1 }), "invalid_argument (not-happened)");
    }
    assert.match(await node.answer("add", { key: "...", input: 1 }), /^\d/);
  });

  test("a key that no link carries is refused by its owner as well, and before anything is done", async () => {
    await using world = World.create();
    const node = await world.start({ system: counterSystem() });
    for (const key of ["k".repeat(4_097), "é".repeat(2_049)]) {
      const refusal = { code: "invalid_argument", message: /^the key of counter has 409[78] bytes/ };
      await assert.rejects(world.until(node.running.inspect("counter", key)), refusal);
      assert.equal(await node.answer("add", { key, input: 1 }), "invalid_argument (not-happened)");
    }
    for (const key of ["k".repeat(4_096), "é".repeat(2_048)]) {
      assert.match(await node.answer("add", { key, input: 1 }), /^\d/);
    }
  });

  test("a stateless service has no state and no key", async () => {
    await using world = World.create();
    const node = await world.start({
      system: counterSystem({
        serve: {
          state: (ctx) => (ctx as unknown as { state: unknown }).state,
          clear: (ctx) => (ctx as unknown as { clear(): void }).clear(),
          key: (ctx) => (ctx as unknown as { key: unknown }).key ?? "none",
        },
      }),
    });
    const desk = { service: "desk" };
    assert.equal(await node.answer("serve", { ...desk, input: "state" }), "internal (unknown)");
    assert.equal(await node.answer("serve", { ...desk, input: "clear" }), "internal (unknown)");
    assert.equal(await node.answer("serve", { ...desk, input: "key" }), '"none"');
  });
});

describe("a stateless command that is repeated under one key", () => {
  const desk = { service: "desk", id: "one" };

  test("calls the keyed command once", async () => {
    await using world = World.create();
    let runs = 0;
    const serve = {
      adds: async (ctx: Serving) => {
        runs += 1;
        const sum = await ctx.to(Counter, "a").add(5);
        if (runs < 3) throw new Error("it fails after the call");
        return sum;
      },
    };
    const node = await world.start({ system: counterSystem({ serve }) });
    const ask = { ...desk, input: "adds" };
    assert.equal(await node.answer("serve", ask), "internal (unknown)");
    assert.equal(await node.answer("serve", ask), "internal (unknown)");
    assert.equal(await node.answer("serve", ask), "5");
    assert.equal(await node.answer("serve", { ...ask, id: "two" }), "10");
    assert.equal(await node.answer("serve", { ...ask, principal: "somebody else" }), "15");
    assert.equal(await node.answer("value"), "15");
  });

  test("tells calls to one target apart by their order, or by the id that they are given", async () => {
    await using world = World.create();
    let runs = 0;
    const serve = {
      several: async (ctx: Serving) => {
        runs += 1;
        const a = ctx.to(Counter, "a");
        const sums = [await a.add(1), await a.add(1), await ctx.to(Counter, "b").add(1)];
        // Concurrent, in an order that is another each time.
        const ids = runs % 2 === 0 ? [10, 20] : [20, 10];
        await Promise.all(ids.map((amount) => ctx.to(Counter, "c", { id: String(amount) }).add(amount)));
        return sums;
      },
    };
    const node = await world.start({ system: counterSystem({ serve }) });
    for (let run = 0; run < 3; run++) {
      assert.equal(await node.answer("serve", { ...desk, input: "several" }), "[1,2,1]");
    }
    assert.equal(await node.answer("value", { key: "c" }), "30");
  });

  test("keeps the id of a call when the repeat makes other calls before it", async () => {
    await using world = World.create();
    let runs = 0;
    const serve = {
      wanders: async (ctx: Serving) => {
        runs += 1;
        if (runs === 2) await ctx.to(Counter, "b").add(5);
        const sum = await ctx.to(Counter, "a").add(5);
        if (runs === 1) throw new Error("it fails after the call");
        return sum;
      },
    };
    const node = await world.start({ system: counterSystem({ serve }) });
    assert.equal(await node.answer("serve", { ...desk, input: "wanders" }), "internal (unknown)");
    assert.equal(await node.answer("serve", { ...desk, input: "wanders" }), "5");
    assert.equal(await node.answer("value"), "5");
  });

  test("is refused where it sends another input under the same derived id", async () => {
    await using world = World.create();
    let runs = 0;
    const serve = {
      changes: (ctx: Serving) => {
        runs += 1;
        return ctx.to(Counter, "a").add(runs);
      },
    };
    const node = await world.start({ system: counterSystem({ serve }) });
    assert.equal(await node.answer("serve", { ...desk, input: "changes" }), "1");
    assert.equal(await node.answer("serve", { ...desk, input: "changes" }), "internal (unknown)");
    assert.equal(await node.answer("value"), "1");
  });

  test("draws the same values and has the same request id", async () => {
    await using world = World.create();
    const serve = { draws: (ctx: Serving) => [ctx.random(), ctx.uuid(), ctx.request.id] };
    const node = await world.start({ system: counterSystem({ serve }) });
    const first = await node.answer("serve", { ...desk, input: "draws" });
    assert.equal(await node.answer("serve", { ...desk, input: "draws" }), first);
    assert.notEqual(await node.answer("serve", { ...desk, id: "two", input: "draws" }), first);
  });
});

describe("what comes back from a call", () => {
  test("a value, a declared error with its data, or a failure with its outcome", async () => {
    await using world = World.create();
    const serve = {
      safe: async (ctx: Serving) => {
        const result = await ctx.to(Counter, "a").add.safe(-5);
        return result.ok ? "ok" : [result.error.code, result.error.data, result.error.outcome];
      },
      throwing: async (ctx: Serving) => {
        const error = await ctx
          .to(Counter, "a")
          .add(-5)
          .catch((thrown) => thrown);
        return error instanceof SynodError && error.declared;
      },
      invalid: async (ctx: Serving) => {
        const result = await ctx.to(Counter, "a").add.safe("no number" as never);
        return result.ok || [result.error.code, result.error.outcome];
      },
      unhandled: (ctx: Serving) => ctx.to(Counter, "a").add(-5),
      translated: async (ctx: Serving) => {
        const result = await ctx.to(Counter, "a").add.safe(-5);
        if (!result.ok) throw ctx.fail("closed", null);
      },
    };
    const node = await world.start({ system: counterSystem({ serve }) });
    const answer = (input: string) => node.answer("serve", { service: "desk", input });
    assert.equal(await answer("safe"), '["tooLow",{"value":0},"not-happened"]');
    assert.equal(await answer("throwing"), "true");
    assert.equal(await answer("invalid"), '["invalid_argument","not-happened"]');
    assert.equal(await answer("unhandled"), "internal (unknown)", "a callee's declared error is not the caller's");
    assert.equal(await answer("translated"), "closed null (declared)");
  });

  test("a callee's passing failure is the caller's failure, and its command did not happen", async () => {
    await using world = World.create();
    const act = {
      asks: async (ctx: Acting) => {
        ctx.state.value += 1;
        await ctx.to(Rates).rate();
      },
      "asks briefly": async (ctx: Acting) => {
        ctx.state.value += 1;
        await ctx.to(Rates, { timeout: "1s" }).rate();
      },
    };
    let rate: () => Promise<number> = () => {
      throw new SynodError("unavailable", "the exchange is closed");
    };
    const node = await world.start({ system: counterSystem({ act, rate: () => rate() }) });
    assert.equal(await node.answer("act", { input: "asks", id: "one" }), "unavailable (not-happened)");
    rate = () => new Promise(() => {});
    const brief = node.ask("act", { input: "asks briefly" });
    await world.advance(1_000);
    assert.equal(brief.answer, "deadline_exceeded (not-happened)");
    assert.equal(await node.answer("value"), "0");
    rate = async () => 2;
    assert.equal(await node.answer("act", { input: "asks", id: "one" }), "done", "it was not recorded");
  });

  test("a call ends with its caller's deadline, and the callee is told", async () => {
    await using world = World.create();
    const act = { asks: (ctx: Acting) => ctx.to(Rates, { timeout: "5m" }).rate() };
    let asked = 0;
    const rate = (): Promise<number> => {
      asked += 1;
      return new Promise(() => {});
    };
    const node = await world.start({ system: counterSystem({ act, rate }) });
    const call = node.ask("act", { input: "asks", timeoutMs: 1_000 });
    await world.advance(1_000);
    assert.equal(call.answer, "deadline_exceeded (not-happened)");
    assert.equal(asked, 1);
    assert.equal(await node.answer("add", { input: 1 }), "1");
  });
});
