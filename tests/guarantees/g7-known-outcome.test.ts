/** G7: a failed call says whether it certainly did not happen, or may have happened. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { counterSystem } from "./counter-system.ts";
import { answerLost, brokenAfterWriting, type CommitFault, requestLost, storeFull } from "./fault-store.ts";
import { storeKinds, type TestNode, World } from "./world.ts";

describe("G7, known outcome", () => {
  for (const kind of storeKinds) {
    test(`a commit of unknown outcome leaves a command without an id unknown, applied or not (${kind})`, async () => {
      await using world = World.create(kind);
      const node = await world.start({ system: counterSystem() });
      await node.answer("add", { input: 5 });
      node.store.commitsOnce(requestLost);
      assert.equal(await node.answer("add", { input: 1 }), "unavailable (unknown)");
      assert.equal(await node.answer("value"), "5");
      node.store.commitsOnce(answerLost);
      assert.equal(await node.answer("add", { input: 1 }), "unavailable (unknown)");
      assert.equal(await node.answer("value"), "6");
    });

    test(`a store that is full fails commands as not happened, and takes them when it has room (${kind})`, async () => {
      await using world = World.create(kind);
      const node = await world.start({ system: counterSystem() });
      await node.answer("add", { input: 5 });
      const undo = node.store.intercept("commit", storeFull);
      const calls = [node.ask("add", { input: 1 }), node.ask("add", { input: 2, id: "one" }), node.ask("peek")];
      const answers = await Promise.all(calls.map((call) => world.until(call)));
      assert.deepEqual(answers, ["unavailable (not-happened)", "unavailable (not-happened)", "5"]);
      assert.equal(await node.answer("value"), "5");
      undo();
      assert.equal(await node.answer("add", { input: 2, id: "one" }), "7");
      assert.equal(await node.answer("value"), "7");
    });
  }

  test("once one attempt was cut, a later rejection does not lift the doubt", async () => {
    await using world = World.create();
    const node = await world.start({ system: counterSystem() });
    await node.answer("add", { input: 5 });
    // The second attempt finds an entity that it cannot use; alone that would say that nothing happened.
    node.store.commitsOnce(async (batch, forward) => {
      node.store.cut("read");
      return answerLost(batch, forward);
    });
    assert.equal(await node.answer("add", { input: 1, id: "one", timeoutMs: 1_000 }), "unavailable (unknown)");
  });

  test("commands that only waited when their shard was lost run again by themselves", async () => {
    await using world = World.create();
    const node = await world.start({ system: counterSystem() });
    await node.answer("add", { input: 5 });
    // The next two board while a commit is under way whose outcome nobody will know.
    const gate = Promise.withResolvers<void>();
    const fault: CommitFault = async () => {
      await gate.promise;
      throw new Error("the connection was lost");
    };
    node.store.commitsOnce(fault);
    const second = node.ask("add", { input: 10 });
    await world.settle();
    const third = node.ask("add", { input: 100 });
    const fourth = node.ask("peek");
    await world.settle();
    gate.resolve();
    assert.equal(await world.until(second), "unavailable (unknown)");
    assert.equal(await world.until(third), "105", "its change had certainly not been sent");
    assert.match(await world.until(fourth), /^(5|105)$/);
  });

  test("a store that broke at a commit leaves its commands unknown and the others not happened; the node stops", async () => {
    await using world = World.create();
    const node = await world.start({ system: counterSystem() });
    await node.answer("add", { input: 5 });
    const gate = Promise.withResolvers<void>();
    node.store.commitsOnce(async (batch, forward) => {
      await gate.promise;
      return brokenAfterWriting(batch, forward);
    });
    const first = node.ask("add", { input: 1, id: "one" });
    await world.settle();
    const read = node.ask("peek");
    const second = node.ask("add", { input: 10, key: "z" });
    const third = node.ask("add", { input: 10, key: "z", id: "two" });
    await world.settle();
    const commits = node.store.count("commit");
    gate.resolve();
    const reason = await world.until(node.running.stopped);
    assert.match(String(reason), /input\/output error/);
    assert.equal(await world.until(first), "unavailable (unknown)");
    assert.match(await world.until(read), /^unavailable/);
    assert.equal(await world.until(second), "unavailable (not-happened)");
    assert.equal(await world.until(third), "unavailable (not-happened)");
    assert.equal(node.store.count("commit"), commits, "a broken store is not written to again");
    assert.equal(await node.answer("value"), "unavailable (not-happened)");
    const next = await world.start({ system: counterSystem(), node: "node-2" });
    assert.equal(await next.answer("add", { input: 1, id: "one" }), "6 (replayed)", "it had happened");
  });

  test("a lookup that the store does not answer says that this attempt did nothing", async () => {
    await using world = World.create();
    const node = await world.start({ system: counterSystem() });
    await node.answer("add", { input: 5 });
    const mend = node.store.cut("read");
    assert.equal(await node.answer("add", { input: 1, id: "one" }), "unavailable (not-happened)");
    mend();
    assert.equal(await node.answer("add", { input: 1, id: "one" }), "6");
  });

  test("an entity that cannot be loaded is tried again until somebody stops waiting", async () => {
    await using world = World.create();
    const node = await world.start({ system: counterSystem() });
    const mend = node.store.cut("read");
    const add = node.ask("add", { input: 1 });
    const value = node.ask("value");
    await world.advance(1_000);
    assert.deepEqual([add.answer, value.answer], [undefined, undefined]);
    mend();
    assert.equal(await world.until(add), "1");
    assert.match(await world.until(value), /^[01]$/);
    const cut = node.store.cut("read");
    assert.equal(await node.answer("add", { key: "b", input: 1, timeoutMs: 500 }), "unavailable (not-happened)");
    cut();
  });

  test("faulty calls certainly did not happen", async () => {
    await using world = World.create();
    const node = await world.start({ system: counterSystem() });
    const asks: [string, Parameters<TestNode["ask"]>[1], string][] = [
      ["add", { input: "no number" }, "invalid_argument"],
      ["add", {}, "invalid_argument"],
      ["peek", { input: 1 }, "invalid_argument"],
      ["unknown", {}, "not_found"],
      ["constructor", {}, "not_found"],
      ["add", { key: "", input: 1 }, "invalid_argument"],
      ["add", { key: "\0", input: 1 }, "invalid_argument"],
      ["rate", { service: "rates", key: "a" }, "invalid_argument"],
      ["rate", { service: "__proto__" }, "not_found"],
      ["put", { service: "shelf", input: 1 }, "invalid_argument"],
    ];
    for (const [operation, ask, code] of asks) {
      assert.equal(await node.answer(operation, ask), `${code} (not-happened)`, `${operation} ${JSON.stringify(ask)}`);
    }
    for (const key of ["__proto__", "constructor", "a/b", "%2F", "ключ", "🔑"]) {
      assert.equal(await node.answer("add", { key, input: 1 }), "1", key);
    }
  });
});
