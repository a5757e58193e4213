/** G3 and G4: what was acknowledged survives, and a command with an id takes effect once, whatever happens. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { activationBytes } from "../../src/runtime/entity-memory.ts";
import { makeTimedKey } from "../../src/values/ids.ts";
import { counterSystem, Gate } from "./counter-system.ts";
import { answerLost, requestLost } from "./fault-store.ts";
import { storeKinds, type TestNode, World } from "./world.ts";

/** Memory for no more than the entity at work: every other one is passivated at once. */
const passivateAtOnce = { entityMemoryBytesMax: 1.06 * activationBytes };
const forgetful = { recordCacheLengthMax: 1 };

for (const kind of storeKinds) {
  describe(`G3 and G4, repeats (${kind})`, () => {
    test("a repeat gets the first reply: a value, a declared error, or none at all", async () => {
      await using world = World.create(kind);
      const node = await world.start({ system: counterSystem() });
      const add = { input: 5, id: "one" };
      assert.equal(await node.answer("add", add), "5");
      await node.answer("add", { input: 2 });
      assert.equal(await node.answer("add", add), "5 (replayed)");
      const decline = { input: -9, id: "two" };
      assert.equal(await node.answer("add", decline), 'tooLow {"value":7} (declared)');
      await node.answer("add", { input: 100 });
      assert.equal(await node.answer("add", decline), 'tooLow {"value":7} (declared) (replayed)');
      assert.equal(await node.answer("reset", { id: "three" }), "done");
      assert.equal(await node.answer("add", { input: 1 }), "1");
      assert.equal(await node.answer("reset", { id: "three" }), "done (replayed)");
      assert.equal(await node.answer("value"), "1");
    });

    test("a repeat gets the first reply after the entity was passivated and its record fell out of the cache", async () => {
      await using world = World.create(kind);
      const node = await world.start({ system: counterSystem(), limits: { ...passivateAtOnce, ...forgetful } });
      assert.equal(await node.answer("add", { input: 5, id: "one" }), "5");
      assert.equal(await node.answer("add", { key: "b", input: 1, id: "other" }), "1");
      assert.equal((await node.running.inspect("counter", "a")).active, false);
      assert.equal(await node.answer("add", { input: 5, id: "one" }), "5 (replayed)");
      assert.equal(await node.answer("value"), "5");
    });

    test("acknowledged commands survive a crash and their repeats get the first reply from the next node", async () => {
      await using world = World.create(kind);
      const node = await world.start({ system: counterSystem() });
      assert.equal(await node.answer("add", { input: 5, id: "one" }), "5");
      assert.equal(await node.answer("add", { input: -9, id: "two" }), 'tooLow {"value":5} (declared)');
      node.kill();
      const next = await world.start({ system: counterSystem(), node: "node-2" });
      assert.equal(await next.answer("value"), "5");
      assert.equal(await next.answer("add", { input: 5, id: "one" }), "5 (replayed)");
      assert.equal(await next.answer("add", { input: -9, id: "two" }), 'tooLow {"value":5} (declared) (replayed)');
      assert.equal(await next.answer("value"), "5");
    });

    test("acknowledged commands survive a stop and a start of the same node", async () => {
      await using world = World.create(kind);
      const node = await world.start({ system: counterSystem() });
      assert.equal(await node.answer("add", { input: 5, id: "one" }), "5");
      await node.stop();
      const again = await world.start({ system: counterSystem() });
      assert.equal(await again.answer("add", { input: 5, id: "one" }), "5 (replayed)");
      assert.equal(await again.answer("value"), "5");
    });

    test("after a commit of unknown outcome that was applied, the command is not run again", async () => {
      await using world = World.create(kind);
      const node = await world.start({ system: counterSystem() });
      await node.answer("add", { input: 5 });
      node.store.commitsOnce(answerLost);
      assert.equal(await node.answer("add", { input: 1, id: "one" }), "6 (replayed)");
      assert.equal(await node.answer("value"), "6");
    });

    test("after a commit of unknown outcome that was not applied, the command is run again", async () => {
      await using world = World.create(kind);
      const node = await world.start({ system: counterSystem() });
      await node.answer("add", { input: 5 });
      node.store.commitsOnce(requestLost, answerLost, requestLost);
      assert.equal(await node.answer("add", { input: 1, id: "one" }), "6 (replayed)");
      assert.equal(await node.answer("value"), "6");
    });

    test("copies of one command that come together run once and all get its reply", async () => {
      await using world = World.create(kind);
      const gate = new Gate();
      const act = {
        slowly: async (ctx: { state: { value: number } }) => {
          ctx.state.value += 1;
          await gate.pass();
          return ctx.state.value;
        },
      };
      const node = await world.start({ system: counterSystem({ act }) });
      const ask = { input: "slowly", id: "one" };
      const early = [node.ask("act", ask), node.ask("act", ask)];
      await world.settle();
      const late = node.ask("act", ask);
      await world.settle();
      gate.open();
      const answers = await Promise.all([...early, late].map((copy) => world.until(copy)));
      assert.deepEqual(answers, ["1", "1 (replayed)", "1 (replayed)"]);
      assert.equal(gate.visits, 1);
    });

    test("the same id with another input is refused, while the first is running and ever after", async () => {
      await using world = World.create(kind);
      const node = await world.start({ system: counterSystem(), limits: forgetful });
      const commits = node.store.hold("commit");
      const add = node.ask("add", { input: 5, id: "one" });
      await world.settle();
      const other = { input: 6, id: "one" };
      const refused = "invalid_argument (not-happened)";
      assert.equal(await node.answer("add", other), refused);
      commits.release();
      assert.equal(await world.until(add), "5");
      assert.equal(await node.answer("add", other), refused, "from the cache");
      await node.answer("add", { key: "b", input: 1, id: "evicts" });
      assert.equal(await node.answer("add", other), refused, "from the store");
      assert.equal(await node.answer("value"), "5");
    });

    test("an id belongs to its principal, service, entity and operation", async () => {
      await using world = World.create(kind);
      const node = await world.start({ system: counterSystem({ act: { "5": () => "acted" } }) });
      const id = "one";
      assert.equal(await node.answer("add", { input: 5, id }), "5");
      assert.equal(await node.answer("add", { input: 5, id, principal: "somebody else" }), "10");
      assert.equal(await node.answer("add", { input: 5, id, key: "b" }), "5");
      assert.equal(await node.answer("act", { input: "5", id }), '"acted"');
      assert.equal(await node.answer("put", { service: "shelf", key: "a", input: 5, id }), "5");
      assert.equal(await node.answer("add", { input: 5, id }), "5 (replayed)");
    });

    test("what is not a reply is not recorded: a repeat runs the handler again", async () => {
      await using world = World.create(kind);
      let runs = 0;
      const act = {
        flaky: () => {
          runs += 1;
          if (runs === 1) throw new Error("undeclared");
          return runs;
        },
      };
      const node = await world.start({ system: counterSystem({ act }) });
      assert.equal(await node.answer("act", { input: "flaky", id: "one" }), "internal (not-happened)");
      assert.equal(await node.answer("add", { input: "no number", id: "two" }), "invalid_argument (not-happened)");
      assert.equal(node.store.commits.length, 0);
      assert.equal(await node.answer("act", { input: "flaky", id: "one" }), "2");
      assert.equal(await node.answer("add", { input: 3, id: "two" }), "3", "a rejection binds no input either");
    });

    test("a command that clears its entity is still known afterwards", async () => {
      await using world = World.create(kind);
      const node = await world.start({ system: counterSystem(), limits: { ...passivateAtOnce, ...forgetful } });
      await node.answer("add", { input: 5, id: "one" });
      await node.answer("reset", { id: "two" });
      await node.answer("add", { key: "b", input: 1, id: "evicts" });
      assert.equal(await node.answer("add", { input: 5, id: "one" }), "5 (replayed)");
      assert.equal(await node.answer("value"), "0");
    });
  });
}

/** Nothing is kept for long; heartbeats are rare, so that minutes pass quickly. */
const shortMemory = {
  ...forgetful,
  leaseTtlMs: 40_000,
  retentionMs: 100_000,
  trimIntervalMs: 5_000,
  timeoutMaxMs: 300_000,
};

/** A timed key as a client would make it now. */
function timedKey({ clock }: TestNode, seed: number): string {
  return makeTimedKey(clock.wall(), new Uint8Array(10).fill(seed));
}

for (const kind of storeKinds) {
  describe(`G4, what is forgotten (${kind})`, () => {
    test("an opaque key holds for the window, and is a new command after it", async () => {
      await using world = World.create(kind, 1);
      const node = await world.start({ system: counterSystem(), limits: shortMemory });
      const add = { input: 5, id: "one" };
      await node.answer("add", add);
      await node.answer("add", { key: "b", input: 1, id: "evicts" });
      await world.advance(95_000);
      assert.equal(await node.answer("add", add), "5 (replayed)");
      await node.answer("add", { key: "b", input: 1, id: "evicts again" });
      await world.advance(20_000);
      assert.equal(await node.answer("add", add), "10");
    });

    test("a timed key that was forgotten is refused and never executed, by this node and by the next", async () => {
      await using world = World.create(kind, 1);
      const node = await world.start({ system: counterSystem(), limits: shortMemory });
      const add = { input: 5, id: timedKey(node, 1) };
      assert.equal(await node.answer("add", add), "5");
      await node.answer("add", { key: "b", input: 1, id: "evicts" });
      await world.advance(95_000);
      assert.equal(await node.answer("add", add), "5 (replayed)");
      await node.answer("add", { key: "b", input: 1, id: "evicts again" });
      await world.advance(20_000);
      assert.equal(await node.answer("add", add), "failed_precondition (unknown)");
      assert.equal(await node.answer("value"), "5");
      await node.stop();
      const next = await world.start({ system: counterSystem(), limits: shortMemory });
      assert.equal(await next.answer("add", add), "failed_precondition (unknown)", "the watermark is durable");
      assert.equal(await next.answer("value"), "5");
    });

    test("while a trim is under way that may forget a key, its command waits for the end of the trim", async () => {
      await using world = World.create(kind, 1);
      const node = await world.start({ system: counterSystem(), limits: shortMemory });
      const add = { input: 5, id: timedKey(node, 1), timeoutMs: 300_000 };
      await node.answer("add", add);
      await node.answer("add", { key: "b", input: 1, id: "evicts" });
      // The trim that forgets the key is applied, and its answer is slow.
      const answer = Promise.withResolvers<void>();
      let forgotten = false;
      node.store.intercept("trim", async (request, forward) => {
        const result = await forward();
        if (request.shard.service !== "counter" || result.status !== "trimmed" || result.removed === 0) return result;
        forgotten = true;
        await answer.promise;
        return result;
      });
      await world.advance(106_000);
      assert.ok(forgotten);
      const repeat = node.ask("add", add);
      await world.settle();
      assert.equal(repeat.answer, undefined, "nobody knows yet");
      answer.resolve();
      assert.equal(await world.until(repeat), "failed_precondition (unknown)");
      assert.equal(await node.answer("value"), "5");
    });

    test("a command that waits for the end of a trim of unknown outcome is refused and never executed", async () => {
      await using world = World.create(kind, 1);
      const node = await world.start({ system: counterSystem(), limits: shortMemory });
      const add = { input: 5, id: timedKey(node, 1), timeoutMs: 300_000 };
      await node.answer("add", add);
      await node.answer("add", { key: "b", input: 1, id: "evicts" });
      const answer = Promise.withResolvers<void>();
      const undo = node.store.intercept("trim", async (request, forward) => {
        const result = await forward();
        if (request.shard.service === "counter" && result.status === "trimmed" && result.removed > 0) {
          await answer.promise;
        }
        return result;
      });
      await world.advance(106_000);
      const commits = node.store.commits.length;
      const repeat = node.ask("add", add);
      await world.settle();
      assert.equal(repeat.answer, undefined);
      undo();
      answer.reject(new Error("the answer was lost"));
      assert.equal(await world.until(repeat), "failed_precondition (unknown)");
      assert.equal(node.store.commits.length, commits, "not even tried");
      assert.equal(await node.answer("value"), "5");
    });

    test("after a trim of unknown outcome the shard is claimed again, and what it forgot is refused", async () => {
      await using world = World.create(kind, 1);
      const node = await world.start({ system: counterSystem(), limits: shortMemory });
      const add = { input: 5, id: timedKey(node, 1) };
      await node.answer("add", add);
      await node.answer("add", { key: "b", input: 1, id: "evicts" });
      const { epoch } = await node.running.inspect("counter", "a");
      node.store.intercept("trim", async (_request, forward) => {
        const result = await forward();
        if (result.status === "trimmed" && result.removed > 0) throw new Error("the answer was lost");
        return result;
      });
      await world.advance(106_000);
      assert.ok((await node.running.inspect("counter", "a")).epoch > epoch);
      assert.equal(await node.answer("add", add), "failed_precondition (unknown)");
      assert.equal(await node.answer("value"), "5");
    });

    test("a timed key from the future is refused", async () => {
      await using world = World.create(kind, 1);
      const node = await world.start({ system: counterSystem() });
      const ahead = (ms: number) => makeTimedKey(node.clock.wall() + ms, new Uint8Array(10));
      assert.equal(await node.answer("add", { input: 1, id: ahead(301_000) }), "invalid_argument (not-happened)");
      assert.equal(await node.answer("add", { input: 1, id: ahead(299_000) }), "1");
    });
  });
}
