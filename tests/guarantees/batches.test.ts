/** Commits: a command alone costs one, many at once share a few, and what is refused fails alone. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Acting, counterSystem } from "./counter-system.ts";
import { refuses } from "./fault-store.ts";
import { storeKinds, World } from "./world.ts";

const refusedAnswer = "internal (not-happened)";

for (const kind of storeKinds) {
  describe(`batches (${kind})`, () => {
    test("a command alone costs one commit, and a query or a repeat none", async () => {
      await using world = World.create(kind);
      const node = await world.start({ system: counterSystem() });
      for (let commits = 1; commits <= 3; commits++) {
        await node.answer("add", { input: 1, id: `id ${commits}` });
        assert.equal(node.store.count("commit"), commits);
        await node.answer("value");
        await node.answer("add", { input: 1, id: `id ${commits}` });
        assert.equal(node.store.count("commit"), commits);
      }
    });

    test("100 concurrent commands cost a few commits, on one entity or on a hundred", async () => {
      await using world = World.create(kind, 64);
      const node = await world.start({ system: counterSystem() });
      const hundred = Array.from({ length: 100 }, (_, index) => index);
      for (const keyOf of [() => "a", (index: number) => `key ${index}`]) {
        const before = node.store.count("commit");
        const calls = hundred.map((index) => node.ask("add", { key: keyOf(index), input: 1, id: `id ${index}` }));
        await Promise.all(calls.map((call) => world.until(call)));
        // In each lane one for the first command, and a few for what gathered meanwhile.
        const commits = node.store.count("commit") - before;
        assert.ok(commits <= 3 * node.store.commitLanes, `${commits} commits`);
      }
      assert.equal(await node.answer("value"), "100");
    });

    test("commits under way at a time are of different shards, and no more than the store has lanes", async () => {
      await using world = World.create(kind, 64);
      const node = await world.start({ system: counterSystem() });
      const keys = Array.from({ length: 20 }, (_, index) => `key ${index}`);
      const underWay: (readonly string[])[] = [];
      node.store.intercept("commit", (batch, forward) => {
        underWay.push(batch.shards.map(({ shard }) => `${shard.service}/${shard.number}`));
        return forward();
      });
      const hold = node.store.hold("commit", "answers");
      const calls = keys.map((key) => node.ask("add", { key, input: 1 }));
      await world.settle();
      calls.push(...keys.map((key) => node.ask("add", { key, input: 1 })));
      await world.settle();
      assert.equal(underWay.length, node.store.commitLanes);
      const shards = underWay.flat();
      assert.equal(new Set(shards).size, shards.length, "no shard is in two of them");
      hold.release();
      await Promise.all(calls.map((call) => world.until(call)));
      for (const key of keys) assert.equal(await node.answer("value", { key }), "2");
    });

    test("an activation that is behind the store is dropped, and its commands run again on what is there", async () => {
      await using world = World.create(kind);
      const node = await world.start({ system: counterSystem() });
      await node.answer("add", { input: 5 });
      const behind = await world.connect();
      const { shard: number, epoch, version } = await node.running.inspect("counter", "a");
      const result = await behind.commit({
        incarnation: node.running.incarnation,
        shards: [
          {
            shard: { service: "counter", number },
            epoch,
            entities: [
              {
                key: "a",
                expectedVersion: version,
                version: 9,
                stateVersion: 1,
                state: '{"value":50}',
                records: [],
                work: null,
              },
            ],
            floors: [],
            sessionNext: null,
            progress: null,
          },
        ],
      });
      assert.equal(result.status, "committed");
      assert.equal(await node.answer("add", { input: 1 }), "51");
      assert.equal(node.store.commits.filter(({ result: { status } }) => status === "conflict").length, 1);
    });
  });
}

describe("batches", () => {
  test("one commit is under way at a time, and a batch keeps to its bounds", async () => {
    await using world = World.create();
    const node = await world.start({ system: counterSystem(), limits: { batchCommandsMax: 10 } });
    let underWay = 0;
    node.store.intercept("commit", async (batch, forward) => {
      assert.equal(underWay, 0);
      underWay += 1;
      const commands = batch.shards.flatMap(({ entities }) => entities.flatMap(({ records }) => records)).length;
      assert.ok(commands <= 10, `${commands} commands`);
      const result = await forward();
      underWay -= 1;
      return result;
    });
    const calls = Array.from({ length: 35 }, (_, index) =>
      node.ask("add", { key: `key ${index % 7}`, input: 1, id: `id ${index}` }),
    );
    const answers = await Promise.all(calls.map((call) => world.until(call)));
    assert.ok(answers.every((answer) => /^[1-5]$/.test(answer)));
    assert.ok(node.store.commits.length >= 4);
  });

  test("one refused entity fails alone, and its neighbours in the batch commit", async () => {
    await using world = World.create("memory", 2);
    const node = await world.start({ system: counterSystem() });
    const undo = node.store.intercept("commit", refuses("key 5"));
    const keys = Array.from({ length: 12 }, (_, index) => `key ${index}`);
    const calls = keys.map((key) => node.ask("add", { key, input: 1, id: "one" }));
    const answers = await Promise.all(calls.map((call) => world.until(call)));
    assert.deepEqual(
      answers,
      keys.map((key) => (key === "key 5" ? refusedAnswer : "1")),
    );
    assert.equal(await node.answer("value", { key: "key 5" }), "0");
    undo();
    assert.equal(await node.answer("add", { key: "key 5", input: 1, id: "one" }), "1", "its id binds nothing");
  });

  test("only the command whose change is refused fails: those behind and before it run again without it", async () => {
    await using world = World.create();
    const attempts: number[] = [];
    const act = {
      poisons: (ctx: Acting) => {
        ctx.state.poison = true;
        ctx.state.value += 1_000;
      },
      adds: (ctx: Acting) => {
        attempts.push(ctx.request.attempt);
        ctx.state.value += 1;
        return ctx.state.value;
      },
    };
    const node = await world.start({ system: counterSystem({ act }) });
    node.store.intercept("commit", async (batch, forward) => {
      const poisoned = batch.shards.some(({ entities }) => entities.some(({ state }) => state?.includes("poison")));
      return poisoned ? refuses("a")(batch, forward) : forward();
    });
    const calls = [
      node.ask("act", { input: "adds" }),
      node.ask("act", { input: "poisons" }),
      node.ask("act", { input: "adds" }),
      node.ask("peek"),
    ];
    const answers = await Promise.all(calls.map((call) => world.until(call)));
    assert.deepEqual(answers, ["1", refusedAnswer, "2", "2"]);
    assert.ok(Math.max(...attempts) > 1, "they ran again");
    assert.equal(await node.answer("value"), "2");
  });

  test("a command that runs while an earlier change is refused runs again from the durable state", async () => {
    await using world = World.create();
    const seen: number[] = [];
    const gates: PromiseWithResolvers<void>[] = [];
    const act = {
      slowly: async (ctx: Acting) => {
        seen.push(ctx.state.value);
        const gate = Promise.withResolvers<void>();
        gates.push(gate);
        await gate.promise;
        ctx.state.value += 1;
        return ctx.state.value;
      },
    };
    const node = await world.start({ system: counterSystem({ act }) });
    await node.answer("add", { input: 5 });
    const undo = node.store.intercept("commit", refuses("a"));
    const commits = node.store.hold("commit");
    const first = node.ask("add", { input: 10 });
    const second = node.ask("act", { input: "slowly" });
    await world.settle();
    assert.deepEqual(seen, [15]);
    commits.release();
    assert.equal(await world.until(first), refusedAnswer);
    undo();
    await world.settle();
    assert.deepEqual(seen, [15, 5]);
    for (const gate of gates) gate.resolve();
    assert.equal(await world.until(second), "6");
  });
});
