/** G2: every answer is about durable state only, and leaves when all that it could have seen is durable. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { counterSystem, Gate, Rates, Shelf } from "./counter-system.ts";
import { World } from "./world.ts";

describe("G2, queries", () => {
  test("a query during a command's await never sees its writes", async () => {
    const gate = new Gate();
    await using world = World.create();
    const act = {
      slowly: async (ctx: { state: { value: number } }) => {
        ctx.state.value = 100;
        await gate.pass();
        ctx.state.value += 1;
        return ctx.state.value;
      },
    };
    const node = await world.start({ system: counterSystem({ act }) });
    await node.answer("add", { input: 5 });
    const command = node.ask("act", { input: "slowly" });
    await world.settle();
    assert.equal(gate.visits, 1);
    assert.equal(await node.answer("value"), "5");
    gate.open();
    assert.equal(await world.until(command), "101");
    assert.equal(await node.answer("value"), "101");
  });

  test("a query sees nothing of what is executed and not yet durable, and all of it before its reply has left", async () => {
    await using world = World.create();
    const node = await world.start({ system: counterSystem() });
    await node.answer("add", { input: 5 });
    const commits = node.store.hold("commit", "answers");
    const add = node.ask("add", { input: 1 });
    await world.settle();
    assert.equal(await node.answer("value"), "5", "the store has it, but nobody was told so");
    let seen: string | undefined;
    const told = add.then(async () => {
      seen = await node.ask("value");
    });
    commits.release();
    await world.until(told);
    assert.equal(seen, "6");
  });

  test("a query keeps the state that was durable at its start", async () => {
    const gate = new Gate();
    await using world = World.create();
    const look = {
      twice: async (ctx: { state: { value: number } }) => {
        const before = ctx.state.value;
        await gate.pass();
        return [before, ctx.state.value];
      },
    };
    const node = await world.start({ system: counterSystem({ look }) });
    const query = node.ask("look", { input: "twice" });
    await world.settle();
    assert.equal(await node.answer("add", { input: 1 }), "1");
    gate.open();
    assert.equal(await world.until(query), "[0,0]");
  });

  test("a query cannot change the state that other queries see", async () => {
    await using world = World.create();
    const look = {
      write: (ctx: { state: unknown }) => {
        (ctx.state as { value: number }).value = 9;
      },
      assign: (ctx: object) => {
        (ctx as { state: unknown }).state = { value: 9 };
      },
      clear: (ctx: object) => (ctx as { clear(): void }).clear(),
    };
    const node = await world.start({ system: counterSystem({ look }) });
    for (const start of ["no row", "a row"]) {
      for (const input of ["write", "assign", "clear"]) {
        assert.equal(await node.answer("look", { input }), "internal (not-happened)", `${input}, ${start}`);
      }
      await node.answer("add", { input: 5 });
    }
    assert.equal(await node.answer("value"), "10");
  });

  test("a query whose activation was lost while it ran is run again, and never answered from the lost one", async () => {
    const gate = new Gate();
    await using world = World.create();
    const look = {
      slowly: async (ctx: { state: { value: number } }) => {
        const { value } = ctx.state;
        await gate.pass();
        return value;
      },
    };
    const node = await world.start({ system: counterSystem({ look }) });
    await node.answer("add", { input: 5 });
    const query = node.ask("look", { input: "slowly" });
    await world.settle();
    const behind = await world.connect();
    await behind.endLease({ node: "node-1", incarnation: node.running.incarnation });
    assert.equal(await node.answer("add", { input: 1, id: "one" }), "6");
    gate.open();
    assert.equal(await world.until(query), "6");
    assert.equal(gate.visits, 2);
  });
});

describe("G2, the exit gate of commands", () => {
  test("a command's reply waits for its commit", async () => {
    await using world = World.create();
    const node = await world.start({ system: counterSystem() });
    const commits = node.store.hold("commit");
    const add = node.ask("add", { input: 1, timeoutMs: 60_000 });
    await world.advance(1_000);
    assert.equal(commits.waiting, 1);
    assert.equal(add.answer, undefined);
    commits.release();
    assert.equal(await world.until(add), "1");
  });

  test("the reply of a command that changed nothing waits for the undurable changes that it saw", async () => {
    await using world = World.create();
    const node = await world.start({ system: counterSystem() });
    const commits = node.store.hold("commit");
    const add = node.ask("add", { input: 7 });
    const peek = node.ask("peek");
    const declined = node.ask("add", { input: -9 });
    const failed = node.ask("act", { input: "no such script" });
    await world.settle();
    assert.deepEqual(
      [add, peek, declined, failed].map(({ answer }) => answer),
      [undefined, undefined, undefined, undefined],
    );
    commits.release();
    assert.equal(await world.until(peek), "7");
    assert.equal(await world.until(declined), 'tooLow {"value":7} (declared)');
    assert.equal(await world.until(failed), "internal (not-happened)");
    assert.equal(node.store.commits.length, 1, "what changed nothing commits nothing");
  });

  test("execution is ahead of durability: the next command runs on what the last one left", async () => {
    await using world = World.create();
    const node = await world.start({ system: counterSystem() });
    const commits = node.store.hold("commit");
    const adds = [1, 2, 3].map((input) => node.ask("add", { input }));
    await world.settle();
    commits.release();
    assert.deepEqual(await Promise.all(adds.map((add) => world.until(add))), ["1", "3", "6"]);
  });

  test("a repeat of a command that is executed and not durable gets no answer before it is", async () => {
    await using world = World.create();
    const node = await world.start({ system: counterSystem() });
    const commits = node.store.hold("commit");
    const first = node.ask("add", { input: 1, id: "one" });
    await world.settle();
    const copy = node.ask("add", { input: 1, id: "one" });
    await world.settle();
    assert.equal(copy.answer, undefined);
    commits.release();
    assert.equal(await world.until(first), "1");
    assert.equal(await world.until(copy), "1 (replayed)");
  });

  test("a call leaves a handler only when everything that the handler could have seen is durable", async () => {
    let asked = 0;
    await using world = World.create();
    const system = counterSystem({
      rate: () => {
        asked += 1;
        return 3;
      },
      act: { ask: async (ctx) => ctx.state.value * (await ctx.to(Rates).rate()) },
    });
    const node = await world.start({ system });
    const commits = node.store.hold("commit");
    const add = node.ask("add", { input: 2 });
    const act = node.ask("act", { input: "ask" });
    await world.settle();
    assert.equal(asked, 0, "the rate must not hear of a value that may never have been");
    commits.release();
    assert.equal(await world.until(act), "6");
    assert.equal(await world.until(add), "2");
    assert.equal(asked, 1);
  });

  test("a call does not leave a handler without a valid lease", async () => {
    const gate = new Gate();
    let asked = 0;
    await using world = World.create();
    const system = counterSystem({
      rate: () => {
        asked += 1;
        return 3;
      },
      act: {
        ask: async (ctx) => {
          await gate.pass();
          return ctx.to(Rates).rate();
        },
      },
    });
    const node = await world.start({ system });
    const act = node.ask("act", { input: "ask", timeoutMs: 30_000 });
    await world.settle();
    const mend = node.store.cut("renew");
    await world.advance(2_000);
    gate.open();
    await world.settle();
    assert.equal(asked, 0);
    mend();
    await world.advance(500);
    assert.equal(act.answer, "3");
  });

  test("a call that waits at the gate does not leave when its handler has lost the turn meanwhile", async () => {
    let asked = 0;
    let failure: unknown;
    await using world = World.create();
    const system = counterSystem({
      rate: () => {
        asked += 1;
        return 3;
      },
      act: {
        ask: async (ctx) => {
          try {
            return await ctx.to(Rates).rate();
          } catch (error) {
            failure = error;
            throw error;
          }
        },
      },
    });
    const node = await world.start({ system });
    const commits = node.store.hold("commit");
    const add = node.ask("add", { input: 2, timeoutMs: 30_000 });
    const act = node.ask("act", { input: "ask", timeoutMs: 1_000 });
    await world.advance(1_000);
    assert.equal(act.answer, "deadline_exceeded (not-happened)");
    assert.match(String(failure), /was used after its turn was over/);
    commits.release();
    assert.equal(await world.until(add), "2");
    await world.settle();
    assert.equal(asked, 0);
  });

  test("a handler reads other entities in their durable state", async () => {
    await using world = World.create();
    const node = await world.start({
      system: counterSystem({ act: { measure: (ctx) => ctx.to(Shelf, "s").size() } }),
    });
    await node.answer("put", { service: "shelf", key: "s", input: 4 });
    const commits = node.store.hold("commit");
    const put = node.ask("put", { service: "shelf", key: "s", input: 1 });
    await world.settle();
    assert.equal(await node.answer("act", { input: "measure" }), "4");
    commits.release();
    assert.equal(await world.until(put), "5");
    assert.equal(await node.answer("act", { input: "measure" }), "5");
  });
});
