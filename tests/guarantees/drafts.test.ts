/** A handler works on a draft: it is committed when the handler returns, and only what JSON can say. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import { command, defineInterface, defineSystem, implement } from "../../src/index.ts";
import { type Acting, counterSystem, Gate, type State } from "./counter-system.ts";
import { type StoreKind, storeKinds, type TestNode, World } from "./world.ts";

type Act = Readonly<Record<string, (ctx: Acting) => unknown>>;

async function startWith(act: Act, kind: StoreKind = "memory"): Promise<{ world: World; node: TestNode }> {
  const world = World.create(kind);
  const node = await world.start({ system: counterSystem({ act }) });
  return { world, node };
}

/** What the store holds of the entity "a". */
async function rowOf(node: TestNode): Promise<{ version: number; state: unknown }> {
  const { version, state } = await node.running.inspect("counter", "a");
  return { version, state };
}

describe("drafts", () => {
  test("a draft is dropped when the handler throws, be it a declared error, another one, or a rejection", async () => {
    const { world, node } = await startWith({
      declares: (ctx) => {
        ctx.state.value = 100;
        throw ctx.fail("declined", 1);
      },
      breaks: (ctx) => {
        ctx.state.value = 100;
        throw new Error("broken");
      },
      rejects: async (ctx) => {
        ctx.state = { value: 100 };
        await null;
        throw new Error("broken later");
      },
      clears: (ctx) => {
        ctx.clear();
        throw new Error("broken after clearing");
      },
    });
    await using _ = world;
    await node.answer("add", { input: 5 });
    assert.equal(await node.answer("act", { input: "declares", id: "one" }), "declined 1 (declared)");
    for (const input of ["breaks", "rejects", "clears"]) {
      assert.equal(await node.answer("act", { input }), "internal (not-happened)");
      assert.equal(await node.answer("peek"), "5", "the next command does not see it");
    }
    assert.equal(await node.answer("value"), "5");
    assert.deepEqual(await rowOf(node), { version: 1, state: { value: 5 } });
  });

  test("the state can be assigned", async () => {
    const { world, node } = await startWith({
      assigns: (ctx) => {
        ctx.state = { value: 7, more: ["a"] };
        ctx.state.value += 1;
      },
    });
    await using _ = world;
    await node.answer("act", { input: "assigns" });
    assert.deepEqual((await rowOf(node)).state, { value: 8, more: ["a"] });
  });

  test("unchanged state commits nothing, and the initial state leaves no row", async () => {
    const { world, node } = await startWith({
      rewrites: (ctx) => {
        ctx.state = { value: ctx.state.value };
      },
    });
    await using _ = world;
    await node.answer("act", { input: "rewrites" });
    await node.answer("add", { input: 0 });
    assert.equal(node.store.commits.length, 0);
    assert.equal((await rowOf(node)).version, 0);
    await node.answer("add", { input: 5 });
    await node.answer("act", { input: "rewrites" });
    await node.answer("peek");
    assert.equal(node.store.commits.length, 1);
  });

  for (const kind of storeKinds) {
    test(`clear removes the row and a version is never used twice (${kind})`, async () => {
      const { world, node } = await startWith(
        {
          "clears and looks": (ctx) => {
            ctx.clear();
            return ctx.state;
          },
          "clears and writes": (ctx) => {
            ctx.clear();
            ctx.state.value += 1;
          },
        },
        kind,
      );
      await using _ = world;
      await node.answer("add", { input: 5 });
      await node.answer("add", { input: 1 });
      assert.equal((await rowOf(node)).version, 2);
      assert.equal(await node.answer("reset"), "done");
      assert.deepEqual(await rowOf(node), { version: 0, state: { value: 0 } });
      await node.answer("reset");
      assert.equal(node.store.commits.length, 3, "there was nothing to clear");
      await node.answer("add", { input: 2 });
      assert.deepEqual(await rowOf(node), { version: 3, state: { value: 2 } });
      assert.equal(await node.answer("act", { input: "clears and looks" }), '{"value":0}');
      assert.equal((await rowOf(node)).version, 0, "looking at the state leaves no row");
      await node.answer("add", { input: 9 });
      await node.answer("act", { input: "clears and writes" });
      assert.deepEqual((await rowOf(node)).state, { value: 1 });
      // Cleared and made again in one batch.
      const commits = node.store.hold("commit");
      const asked = [node.ask("add", { input: 1 }), node.ask("reset"), node.ask("add", { input: 4 })];
      await world.settle();
      commits.release();
      await world.until(Promise.all(asked));
      assert.deepEqual((await rowOf(node)).state, { value: 4 });
    });
  }

  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  const refused: readonly (readonly [string, unknown, string])[] = [
    ["a Map", new Map(), "$.more.here"],
    ["a Date", new Date(0), "$.more.here"],
    ["NaN", Number.NaN, "$.more.here"],
    ["a bigint", 1n, "$.more.here"],
    ["a lone surrogate", "\ud800", "$.more.here"],
    ["NUL", "\0", "$.more.here"],
    ["undefined in an array", [undefined], "$.more.here[0]"],
    ["a cycle", cycle, "$.more.here.self"],
  ];
  for (const [what, value, path] of refused) {
    test(`${what} in the state is refused with its path, and the state stays as it was`, async () => {
      const { world, node } = await startWith({
        spoils: (ctx) => {
          ctx.state.value = 100;
          ctx.state.more = { here: value };
        },
      });
      await using _ = world;
      await node.answer("add", { input: 5 });
      const reply = await node.reply("act", { input: "spoils", id: "one" });
      assert.ok(!reply.ok && reply.error.code === "internal" && reply.error.outcome === "not-happened");
      assert.ok(reply.error.message.includes(`${path} `), reply.error.message);
      assert.equal(await node.answer("peek"), "5");
      assert.deepEqual(await rowOf(node), { version: 1, state: { value: 5 } });
      assert.equal(node.store.commits.length, 1, "and no record of it is kept");
    });
  }

  test("a state over its limit is refused with its size", async () => {
    const { world, node } = await startWith({
      grows: (ctx) => {
        ctx.state.more = "x".repeat(300 * 1024);
      },
    });
    await using _ = world;
    await node.answer("add", { input: 5 });
    const reply = await node.reply("act", { input: "grows" });
    assert.ok(!reply.ok && reply.error.code === "internal");
    assert.match(reply.error.message, /state of counter\/a has 3072\d\d bytes as JSON, and the limit is 262144 bytes/);
    assert.deepEqual((await rowOf(node)).state, { value: 5 });
  });

  test("a state that is no longer there is refused", async () => {
    const { world, node } = await startWith({
      forgets: (ctx) => {
        (ctx as { state: unknown }).state = undefined;
      },
    });
    await using _ = world;
    assert.equal(await node.answer("act", { input: "forgets" }), "internal (not-happened)");
  });

  test("what a handler changes after its return has no effect", async () => {
    const gate = new Gate();
    let changed = false;
    const { world, node } = await startWith({
      lingers: (ctx) => {
        const { state } = ctx;
        state.value += 1;
        void gate.pass().then(() => {
          state.value = 1_000;
          changed = true;
        });
        return state;
      },
    });
    await using _ = world;
    assert.equal(await node.answer("act", { input: "lingers" }), '{"value":1}');
    gate.open();
    await world.settle();
    assert.ok(changed);
    assert.equal(await node.answer("peek"), "1");
    assert.equal(await node.answer("add", { input: 1 }), "2");
  });

  test("an initial state that is one shared object is never changed by anybody's draft", async () => {
    const shared: State = { value: 0, list: [] };
    await using world = World.create();
    const node = await world.start({ system: counterSystem({ initial: () => shared }) });
    assert.equal(await node.answer("add", { key: "a", input: 5 }), "5");
    assert.equal(await node.answer("add", { key: "b", input: 1 }), "1");
    assert.equal(await node.answer("value", { key: "a" }), "5");
    assert.equal(await node.answer("value", { key: "c" }), "0");
    await node.answer("reset", { key: "a" });
    assert.equal(await node.answer("value", { key: "a" }), "0");
    assert.equal(await node.answer("add", { key: "a", input: 3 }), "3");
    assert.deepEqual(shared, { value: 0, list: [] });
  });

  test("replies are copies: entities and callers share no object", async () => {
    const kept: State[] = [];
    const { world, node } = await startWith({
      keeps: (ctx) => {
        ctx.state.value += 1;
        kept.push(ctx.state);
        return ctx.state;
      },
    });
    await using _ = world;
    await node.answer("act", { input: "keeps" });
    await node.answer("act", { input: "keeps" });
    assert.notEqual(kept[0], kept[1]);
    kept[1]!.value = 50;
    assert.equal(await node.answer("value"), "2");
  });

  test("inputs are copies: what a schema puts in place of something is no object that two entities share", async () => {
    const Notes = defineInterface("notes", {
      key: z.string(),
      operations: {
        tag: command({
          input: z.object({ by: z.string(), tags: z.array(z.string()).catch([]) }),
          output: z.array(z.string()),
        }),
      },
    });
    const notes = implement(Notes, {
      state: { version: 1, initial: () => ({ tags: [] as string[] }) },
      operations: {
        tag: (ctx, { by, tags }) => {
          tags.push(by);
          ctx.state.tags = tags;
          return tags;
        },
      },
    });
    await using world = World.create();
    const node = await world.start({ system: defineSystem({ name: "test", services: [notes] }) });
    const tag = (key: string) => node.answer("tag", { service: "notes", key, input: { by: key, tags: null } });
    assert.equal(await tag("a"), '["a"]');
    assert.equal(await tag("b"), '["b"]');
  });

  test("a reply that its schema forbids fails the command, and a reply that is too large too", async () => {
    const { world, node } = await startWith({
      text: (ctx) => {
        ctx.state.value += 1;
        return "no number";
      },
      map: () => new Map(),
      large: () => "x".repeat(1024 * 1024),
      "wrong error": (ctx) => {
        throw ctx.fail("declined", "no number" as never);
      },
      "undeclared error": (ctx) => {
        throw ctx.fail("unheard" as never, 1 as never);
      },
    });
    await using _ = world;
    const reply = await node.reply("number", { input: "text" });
    assert.ok(!reply.ok && reply.error.code === "internal");
    assert.match(reply.error.message, /the output of counter\/a\.number does not fit its schema/);
    for (const input of ["map", "large", "wrong error", "undeclared error"]) {
      assert.equal(await node.answer("act", { input, id: input }), "internal (not-happened)", input);
    }
    assert.equal(await node.answer("value"), "0");
    assert.equal(node.store.commits.length, 0);
  });
});
