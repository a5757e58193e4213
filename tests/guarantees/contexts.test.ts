/** What a handler may do with its context, and until when. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SynodError } from "../../src/errors.ts";
import { type Acting, counterSystem, Gate, Rates } from "./counter-system.ts";
import { World } from "./world.ts";

/** Every way to use a context; each must throw when the context is revoked. */
const uses: Readonly<Record<string, (ctx: Acting) => unknown>> = {
  key: (ctx) => ctx.key,
  state: (ctx) => ctx.state,
  "state =": (ctx) => {
    ctx.state = { value: 1 };
  },
  clear: (ctx) => ctx.clear(),
  to: (ctx) => ctx.to(Rates),
  fail: (ctx) => ctx.fail("declined", 1),
  now: (ctx) => ctx.now,
  deadline: (ctx) => ctx.deadline,
  random: (ctx) => ctx.random(),
  uuid: (ctx) => ctx.uuid(),
  request: (ctx) => ctx.request,
  log: (ctx) => ctx.log,
};

function assertRevoked(ctx: Acting): void {
  for (const [name, use] of Object.entries(uses)) {
    assert.throws(
      () => use(ctx),
      (error) => error instanceof SynodError && error.code === "failed_precondition",
      `ctx.${name}`,
    );
  }
  assert.equal(ctx.signal.aborted, true);
}

describe("a context is revoked", () => {
  test("when its handler has returned or thrown", async () => {
    const kept: Acting[] = [];
    await using world = World.create();
    const act = {
      returns: (ctx: Acting) => void kept.push(ctx),
      throws: (ctx: Acting) => {
        kept.push(ctx);
        throw new Error("broken");
      },
      declines: (ctx: Acting) => {
        kept.push(ctx);
        throw ctx.fail("declined", 1);
      },
    };
    const node = await world.start({ system: counterSystem({ act }) });
    for (const input of Object.keys(act)) await node.answer("act", { input });
    assert.equal(kept.length, 3);
    for (const ctx of kept) assertRevoked(ctx);
    assert.equal(await node.answer("value"), "0");
  });

  test("at the deadline, when the turn passes to the next command", async () => {
    const gate = new Gate();
    const kept: Acting[] = [];
    let reason: unknown;
    await using world = World.create();
    const act = {
      hangs: async (ctx: Acting) => {
        kept.push(ctx);
        ctx.state.value = 100;
        ctx.signal.addEventListener("abort", () => {
          reason = ctx.signal.reason;
        });
        await gate.pass();
        ctx.state.value = 200;
        return ctx.state.value;
      },
    };
    const node = await world.start({ system: counterSystem({ act }) });
    const hanging = node.ask("act", { input: "hangs", timeoutMs: 1_000 });
    const next = node.ask("add", { input: 1, timeoutMs: 5_000 });
    await world.advance(999);
    assert.equal(hanging.answer, undefined);
    await world.advance(1);
    assert.equal(hanging.answer, "deadline_exceeded (not-happened)");
    assert.equal(next.answer, "1", "the turn was released, and the draft dropped");
    assertRevoked(kept[0]!);
    assert.ok(reason instanceof SynodError);
    gate.open();
    await world.settle();
    assert.equal(await node.answer("peek"), "1", "what the abandoned handler still does has no effect");
  });

  test("when its activation is dropped", async () => {
    const gate = new Gate();
    const kept: Acting[] = [];
    await using world = World.create();
    const act = {
      slowly: async (ctx: Acting) => {
        kept.push(ctx);
        ctx.state.value += 1;
        await gate.pass();
        return ctx.state.value;
      },
    };
    const node = await world.start({ system: counterSystem({ act }) });
    const asked = node.ask("act", { input: "slowly" });
    await world.settle();
    const behind = await world.connect();
    await behind.endLease({ node: "node-1", incarnation: node.running.incarnation });
    const mend = node.store.cut("join");
    await world.advance(500);
    assertRevoked(kept[0]!);
    gate.open();
    await world.settle();
    assert.equal(asked.answer, undefined, "what a dropped activation says is not heard");
    mend();
    assert.equal(await world.until(asked), "1", "it ran again where the shard is owned");
    assert.equal(gate.visits, 2);
    assert.equal(node.store.commits.filter(({ result }) => result.status === "committed").length, 1);
  });

  test("and an operation of a callee that was kept cannot be called any more", async () => {
    let rate: (() => Promise<number>) | undefined;
    await using world = World.create();
    const act = {
      keeps: (ctx: Acting) => {
        rate = ctx.to(Rates).rate;
      },
    };
    const node = await world.start({ system: counterSystem({ act }) });
    await node.answer("act", { input: "keeps" });
    await assert.rejects(world.until(rate!(), 5_000), /was used after its operation had ended/);
  });
});

describe("a handler", () => {
  test("that returns while a call is pending fails, and the call that it left behind harms nobody", async () => {
    const rates = Promise.withResolvers<number>();
    const unhandled: unknown[] = [];
    const listen = (error: unknown): void => void unhandled.push(error);
    process.on("unhandledRejection", listen);
    try {
      await using world = World.create();
      const act = {
        forgets: (ctx: Acting) => {
          ctx.state.value = 100;
          void ctx.to(Rates).rate();
        },
        "forgets safely": (ctx: Acting) => {
          ctx.state.value = 100;
          void ctx.to(Rates).rate.safe();
        },
      };
      const node = await world.start({ system: counterSystem({ act, rate: () => rates.promise }) });
      for (const input of Object.keys(act)) {
        const reply = await node.reply("act", { input });
        assert.ok(!reply.ok && reply.error.code === "internal" && reply.error.outcome === "not-happened");
        assert.match(reply.error.message, /returned while its call to rates\.rate was still pending: await it/);
      }
      rates.resolve(3);
      await world.settle();
      assert.equal(await node.answer("value"), "0");
    } finally {
      process.off("unhandledRejection", listen);
    }
    assert.deepEqual(unhandled, []);
  });

  test("that returns a strange thenable fails or succeeds like any other, and gives up its turn", async () => {
    await using world = World.create();
    const act = {
      "throws in then": () => ({
        then: () => {
          throw new Error("strange");
        },
      }),
      "throws for then": () =>
        Object.defineProperty({}, "then", {
          get: () => {
            throw new Error("stranger");
          },
        }),
      "settles twice": () => ({
        then: (resolve: (value: number) => void, reject: (error: Error) => void) => {
          resolve(1);
          resolve(2);
          reject(new Error("too late"));
        },
      }),
    };
    const node = await world.start({ system: counterSystem({ act }) });
    assert.equal(await node.answer("act", { input: "throws in then" }), "internal (not-happened)");
    assert.equal(await node.answer("act", { input: "throws for then" }), "internal (not-happened)");
    assert.equal(await node.answer("act", { input: "settles twice" }), "1");
    assert.equal(await node.answer("add", { input: 1 }), "1");
  });

  test("finds the same instant and the same deadline however long it runs", async () => {
    const gate = new Gate();
    await using world = World.create();
    const act = {
      slowly: async (ctx: Acting) => {
        const before = [ctx.now, ctx.deadline];
        await gate.pass();
        assert.deepEqual([ctx.now, ctx.deadline], before);
        return ctx.deadline - ctx.now;
      },
    };
    const node = await world.start({ system: counterSystem({ act }) });
    const wall = node.clock.wall();
    const asked = node.ask("act", { input: "slowly", timeoutMs: 5_000 });
    await world.advance(1_000);
    gate.open();
    assert.equal(await world.until(asked), "5000");
    assert.ok(node.clock.wall() >= wall + 1_000);
  });

  test("draws the same random values for the same id, and others for another id, entity, or caller", async () => {
    await using world = World.create();
    let attempts = 0;
    const act = {
      draws: (ctx: Acting) => {
        attempts += 1;
        const drawn = [ctx.random(), ctx.random(), ctx.uuid(), ctx.request.id];
        if (attempts % 2 === 1) {
          first = drawn;
          throw new Error("the first attempt is lost");
        }
        assert.deepEqual(drawn, first);
        return drawn;
      },
      "draws once": (ctx: Acting) => [ctx.random(), ctx.uuid(), ctx.request.id],
    };
    let first: unknown[] = [];
    const node = await world.start({ system: counterSystem({ act }) });
    assert.equal(await node.answer("act", { input: "draws", id: "one" }), "internal (not-happened)");
    assert.match(await node.answer("act", { input: "draws", id: "one" }), /^\[0\.\d+,0\.\d+,"[0-9a-f-]{36}","/);
    const asks = [
      { id: "two" },
      { id: "three" },
      { id: "two", key: "b" },
      { id: "two", principal: "somebody else" },
      {},
      {},
    ];
    const drawn = new Set<string>();
    for (const ask of asks) drawn.add(await node.answer("act", { input: "draws once", ...ask }));
    assert.equal([...drawn].filter((answer) => answer.startsWith("[0.")).length, asks.length);
  });

  test("knows who calls, and which attempt this is", async () => {
    await using world = World.create();
    const act = { who: (ctx: Acting) => [ctx.key, ctx.request.principal, ctx.request.attempt] };
    const node = await world.start({ system: counterSystem({ act }) });
    assert.equal(await node.answer("act", { input: "who", principal: "alice" }), '["a","alice",1]');
  });
});
