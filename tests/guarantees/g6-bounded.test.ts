/** G6: every queue, wait and handler has a bound, and past it a call is shed at once, saying so. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { activationBytes } from "../../src/runtime/entity-memory.ts";
import type { NodeLimits } from "../../src/runtime/limits.ts";
import { type Acting, counterSystem, Gate, Rates, type Scripts } from "./counter-system.ts";
import { type Ask, type TestNode, World } from "./world.ts";

const shed = "resource_exhausted (not-happened)";

async function startWith(
  limits: Partial<NodeLimits>,
  scripts: Scripts = {},
): Promise<{ world: World; node: TestNode }> {
  const world = World.create();
  const node = await world.start({ system: counterSystem(scripts), limits });
  return { world, node };
}

describe("G6, what a node holds", () => {
  test("a full mailbox sheds, and takes commands again when it has emptied", async () => {
    const gate = new Gate();
    const { world, node } = await startWith({ mailboxLengthMax: 3 }, { act: { waits: () => gate.pass() } });
    await using _ = world;
    const running = node.ask("act", { input: "waits" });
    await world.settle();
    const queued = [1, 2, 3].map((input) => node.ask("add", { input }));
    assert.equal(await node.answer("add", { input: 4 }), shed);
    assert.equal(await node.answer("add", { input: 4, id: "one" }), shed);
    assert.equal(await node.answer("add", { key: "b", input: 1 }), "1", "another entity's mailbox is its own");
    assert.equal(await node.answer("value"), "0", "queries wait in no mailbox");
    gate.open();
    assert.deepEqual(await Promise.all([running, ...queued].map((call) => world.until(call))), ["done", "1", "3", "6"]);
    assert.equal(await node.answer("add", { input: 4 }), "10");
  });

  test("a node with all the calls that it may hold sheds every further one", async () => {
    const gate = new Gate();
    const { world, node } = await startWith({ callsInFlightMax: 2 }, { act: { waits: () => gate.pass() } });
    await using _ = world;
    const held = [node.ask("act", { input: "waits" }), node.ask("add", { input: 1 })];
    assert.equal(await node.answer("value"), shed);
    assert.equal(await node.answer("rate", { service: "rates" }), shed);
    gate.open();
    await Promise.all(held.map((call) => world.until(call)));
    assert.equal(await node.answer("value"), "1");
    assert.equal(node.running.status().callsInFlight, 0);
  });

  test("inputs in flight are bounded in bytes", async () => {
    const gate = new Gate();
    const { world, node } = await startWith({ inputBytesInFlightMax: 12 }, { act: { waits: () => gate.pass() } });
    await using _ = world;
    const held = node.ask("act", { input: "waits" });
    assert.equal(await node.answer("add", { input: 123456 }), shed);
    assert.equal(await node.answer("add", { key: "b", input: 12345 }), "12345", "there is room for five bytes");
    gate.open();
    await world.until(held);
    assert.equal(await node.answer("add", { input: 123456 }), "123456");
  });

  test("work that is executed and not durable is bounded: no handler starts above the bound", async () => {
    let runs = 0;
    const grow = (ctx: Acting): void => {
      runs += 1;
      ctx.state.more = "x".repeat(1_000);
    };
    const { world, node } = await startWith({ undurableBytesMax: 2_500 }, { act: { grow } });
    await using _ = world;
    const commits = node.store.hold("commit");
    const keys = Array.from({ length: 50 }, (_, index) => `key ${index}`);
    const calls = keys.map((key) => node.ask("act", { key, input: "grow" }));
    await world.settle();
    assert.equal(runs, 3, "the third one passed the bound");
    assert.deepEqual(
      calls.map(({ answer }) => answer),
      keys.map((_, index) => (index < 3 ? undefined : shed)),
      "shed at once, and not when the store is well again",
    );
    assert.equal(await node.answer("value"), shed, "nothing is admitted either");
    commits.release();
    assert.deepEqual(await Promise.all(calls.slice(0, 3)), ["done", "done", "done"]);
    assert.equal(await node.answer("value"), "0");
  });

  test("the memory budget passivates the entities that were used longest ago", async () => {
    const entityMemoryBytesMax = 3.8 * activationBytes;
    const { world, node } = await startWith({ entityMemoryBytesMax });
    await using _ = world;
    for (const key of ["a", "b", "c"]) await node.answer("add", { key, input: 1 });
    await node.answer("value", { key: "a" });
    await node.answer("add", { key: "d", input: 1 });
    const active = async (key: string) => (await node.running.inspect("counter", key)).active;
    assert.deepEqual(await Promise.all(["a", "b", "c", "d"].map(active)), [true, false, true, true]);
    assert.ok(node.running.status().memoryBytes <= entityMemoryBytesMax);
    assert.equal(await node.answer("add", { key: "b", input: 1 }), "2", "its state was in the store");
  });

  test("an entity with a handler, a queue, an undurable change or a query is never passivated", async () => {
    const gate = new Gate();
    const waits = async (): Promise<void> => gate.pass();
    const { world, node } = await startWith(
      { entityMemoryBytesMax: 0.9 * activationBytes },
      { act: { waits }, look: { waits } },
    );
    await using _ = world;
    const handler = node.ask("act", { key: "handler", input: "waits" });
    const query = node.ask("look", { key: "query", input: "waits" });
    await world.settle();
    assert.equal(node.running.status().entitiesInMemory, 1, "the second one found no room");
    assert.equal(await world.until(query), shed);
    const queued = node.ask("add", { key: "handler", input: 1 });
    assert.equal(await node.answer("add", { key: "more", input: 1 }), shed);
    const commits = node.store.hold("commit");
    gate.open();
    await world.settle();
    assert.equal(await node.answer("add", { key: "more", input: 1 }), shed, "its change is not durable yet");
    commits.release();
    assert.deepEqual([await world.until(handler), await world.until(queued)], ["done", "1"]);
    assert.equal(await node.answer("add", { key: "more", input: 1 }), "1");
    assert.equal(await node.answer("value", { key: "handler" }), "1");
  });

  test("an entity is not passivated while its batch is in flight, whatever else wants the room", async () => {
    const { world, node } = await startWith({ entityMemoryBytesMax: 3.2 * activationBytes });
    await using _ = world;
    await node.answer("add", { key: "a", input: 1 });
    const commits = node.store.hold("commit");
    const first = node.ask("add", { key: "a", input: 1 });
    await world.settle();
    assert.equal(commits.waiting, 1);
    const others = ["b", "c", "d", "e"].map((key) => node.ask("value", { key }));
    await world.settle();
    assert.equal((await node.running.inspect("counter", "a")).active, true);
    const second = node.ask("add", { key: "a", input: 1 });
    await world.settle();
    commits.release();
    assert.deepEqual([await world.until(first), await world.until(second)], ["2", "3"]);
    await Promise.all(others.map((call) => world.until(call)));
    assert.equal(await node.answer("value", { key: "a" }), "3");
  });

  test("a handler may have so many calls waiting, and no more", async () => {
    const many = async (ctx: Acting): Promise<unknown> => {
      const results = await Promise.all(
        [1, 2, 3].map(() =>
          ctx
            .to(Rates)
            .rate.safe()
            .catch((error) => error),
        ),
      );
      return results.map((result) => result.code ?? result.value);
    };
    const { world, node } = await startWith({ callsPerHandlerMax: 2 }, { act: { many } });
    await using _ = world;
    assert.equal(await node.answer("act", { input: "many" }), '[2,2,"resource_exhausted"]');
  });
});

describe("G6, no call outlives its deadline", () => {
  const late = "deadline_exceeded (not-happened)";
  const lateUnknown = "deadline_exceeded (unknown)";

  /** Asks with a timeout of a second and says how the call ended, and when. */
  async function atDeadline(world: World, node: TestNode, operation: string, ask: Ask): Promise<string | undefined> {
    const call = node.ask(operation, { ...ask, timeoutMs: 1_000 });
    await world.advance(999);
    assert.equal(call.answer, undefined, "not before its deadline");
    await world.advance(1);
    return call.answer;
  }

  test("queued: it did not happen, and it never will", async () => {
    const gate = new Gate();
    const { world, node } = await startWith({}, { act: { waits: () => gate.pass() } });
    await using _ = world;
    const running = node.ask("act", { input: "waits" });
    assert.equal(await atDeadline(world, node, "add", { input: 5 }), late);
    gate.open();
    await world.until(running);
    assert.equal(await node.answer("peek"), "0");
  });

  test("running: it did not happen, because its draft is dropped", async () => {
    const { world, node } = await startWith(
      {},
      {
        act: {
          hangs: (ctx) => {
            ctx.state.value = 100;
            return new Promise(() => {});
          },
        },
      },
    );
    await using _ = world;
    assert.equal(await atDeadline(world, node, "act", { input: "hangs", id: "one" }), late);
    assert.equal(await node.answer("peek"), "0");
  });

  test("executed and not durable: it may take effect, and a repeat learns whether it did", async () => {
    const { world, node } = await startWith({});
    await using _ = world;
    const commits = node.store.hold("commit");
    assert.equal(await atDeadline(world, node, "add", { input: 5, id: "one" }), lateUnknown);
    commits.release();
    assert.equal(await node.answer("add", { input: 5, id: "one" }), "5 (replayed)");
    assert.equal(await node.answer("value"), "5");
  });

  test("a copy whose first caller's deadline has passed goes on: for that caller it may still happen", async () => {
    const gate = new Gate();
    const { world, node } = await startWith({}, { act: { waits: () => gate.pass() } });
    await using _ = world;
    const first = node.ask("act", { input: "waits", id: "one", timeoutMs: 1_000 });
    const copy = node.ask("act", { input: "waits", id: "one", timeoutMs: 5_000 });
    await world.advance(1_000);
    assert.equal(first.answer, lateUnknown);
    gate.open();
    assert.equal(await world.until(copy), "done (replayed)");
  });

  test("while the store does not answer reads: a command, a lookup and a query", async () => {
    const { world, node } = await startWith({});
    await using _ = world;
    const reads = node.store.hold("read");
    const calls = [
      node.ask("add", { input: 1, timeoutMs: 1_000 }),
      node.ask("add", { input: 1, id: "one", timeoutMs: 1_000 }),
      node.ask("value", { timeoutMs: 1_000 }),
      node.ask("value", { key: "b", timeoutMs: 1_000 }),
    ];
    await world.advance(1_000);
    assert.deepEqual(
      calls.map(({ answer }) => answer),
      [late, late, late, late],
    );
    reads.release();
    assert.equal(await node.answer("add", { input: 1 }), "1");
  });

  test("without a lease: a command, a query, a stateless call, and answers that wait at the exit gate", async () => {
    const gate = new Gate();
    const { world, node } = await startWith({}, { look: { waits: () => gate.pass() } });
    await using _ = world;
    const answers = node.store.hold("commit", "answers");
    const atGate = [
      node.ask("add", { input: 1, timeoutMs: 3_000 }),
      node.ask("look", { input: "waits", timeoutMs: 3_000 }),
    ];
    await world.settle();
    const mend = node.store.cut("renew");
    await world.advance(2_500);
    answers.release();
    gate.open();
    const calls = [
      node.ask("add", { input: 1, timeoutMs: 500 }),
      node.ask("value", { timeoutMs: 500 }),
      node.ask("rate", { service: "rates", timeoutMs: 500 }),
    ];
    await world.advance(500);
    assert.deepEqual(
      [...atGate, ...calls].map(({ answer }) => answer),
      ["unavailable (unknown)", ...Array(4).fill("unavailable (not-happened)")],
    );
    mend();
    await world.advance(1_000);
    assert.equal(await node.answer("value"), "1");
  });

  test("a query or stateless handler that never returns is given up", async () => {
    const hangs = (): Promise<never> => new Promise(() => {});
    const { world, node } = await startWith({}, { look: { hangs }, serve: { hangs }, see: { hangs } });
    await using _ = world;
    assert.equal(await atDeadline(world, node, "look", { input: "hangs" }), late);
    assert.equal(await atDeadline(world, node, "see", { service: "desk", input: "hangs" }), late);
    assert.equal(
      await atDeadline(world, node, "serve", { service: "desk", input: "hangs" }),
      lateUnknown,
      "who knows what it has done in the world outside",
    );
  });

  test("a caller that has gone gives its place free", async () => {
    const gate = new Gate();
    const { world, node } = await startWith({ mailboxLengthMax: 1 }, { act: { waits: () => gate.pass() } });
    await using _ = world;
    const running = node.ask("act", { input: "waits" });
    await world.settle();
    const caller = new AbortController();
    const gone = node.ask("add", { input: 100, signal: caller.signal });
    await world.settle();
    assert.equal(await node.answer("add", { input: 1 }), shed);
    caller.abort();
    await world.settle();
    assert.equal(gone.answer, late);
    const next = node.ask("add", { input: 1 });
    gate.open();
    await world.until(running);
    assert.equal(await world.until(next), "1");
  });

  test("a call without a timeout gets the default one", async () => {
    const { world, node } = await startWith(
      { timeoutDefaultMs: 3_000 },
      { act: { hangs: () => new Promise(() => {}) } },
    );
    await using _ = world;
    const call = node.ask("act", { input: "hangs" });
    await world.advance(2_999);
    assert.equal(call.answer, undefined);
    await world.advance(1);
    assert.equal(call.answer, late);
  });

  for (const timeoutMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 300_001]) {
    test(`a timeout of ${timeoutMs} ms is refused`, async () => {
      const { world, node } = await startWith({});
      await using _ = world;
      assert.equal(await node.answer("value", { timeoutMs }), "invalid_argument (not-happened)");
    });
  }

  test("an idempotency key has 1 to 255 characters", async () => {
    const { world, node } = await startWith({});
    await using _ = world;
    for (const id of ["", "x".repeat(256), "x".repeat(10 * 1024)]) {
      assert.equal(await node.answer("add", { input: 1, id }), "invalid_argument (not-happened)");
    }
    assert.equal(await node.answer("add", { input: 1, id: "x".repeat(255) }), "1");
  });
});
