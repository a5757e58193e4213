import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Rank, ranks } from "../../values/priority.ts";
import { LoadQueue, type WaitingCall } from "./queue.ts";

interface Call extends WaitingCall {
  readonly name: string;
}

function call(name: string, caller = "a", rank: Rank = ranks.normal, deadline = 1_000): Call {
  return { name, caller, rank, deadline, queuedAt: 0, waiting: true };
}

function queueOf(...calls: readonly Call[]): LoadQueue<Call> {
  const queue = new LoadQueue<Call>();
  for (const one of calls) queue.push(one);
  return queue;
}

function order(queue: LoadQueue<Call>): string[] {
  const names: string[] = [];
  for (let next = queue.take(); next !== undefined; next = queue.take()) names.push(next.name);
  return names;
}

test("critical goes before normal, and normal before background", () => {
  const queue = queueOf(call("b", "a", ranks.background), call("n", "a", ranks.normal), call("c", "a", ranks.critical));
  assert.deepEqual(order(queue), ["c", "n", "b"]);
});

test("callers take turns, and one's own calls go in their order", () => {
  const hot = Array.from({ length: 4 }, (_, index) => call(`hot ${index}`, "hot"));
  const queue = queueOf(...hot, call("light", "light"), call("other 0", "other"), call("other 1", "other"));
  assert.deepEqual(order(queue), ["hot 0", "light", "other 0", "hot 1", "other 1", "hot 2", "hot 3"]);
});

test("it knows how many would go before another call, and how far a hot caller's is behind a light one's", () => {
  const hot = Array.from({ length: 100 }, (_, index) => call(`${index}`, "hot"));
  const queue = queueOf(...hot, call("critical", "x", ranks.critical));
  assert.equal(queue.ahead(ranks.normal, "hot"), 101);
  assert.equal(queue.ahead(ranks.normal, "light"), 2, "the critical one, and one of the hot caller");
  assert.equal(queue.ahead(ranks.critical, "light"), 1);
  assert.equal(queue.ahead(ranks.background, "light"), 101);
});

test("room is made by a later rank, or by whoever has more", () => {
  const background = call("background", "a", ranks.background);
  const queue = queueOf(call("1", "hot"), call("2", "hot"), call("3", "hot"), background);
  assert.equal(queue.displaceable(ranks.normal, "light"), background);
  queue.remove(background);
  assert.equal(queue.displaceable(ranks.normal, "light")?.name, "3");
  assert.equal(queue.displaceable(ranks.normal, "hot"), undefined);
  assert.equal(queue.displaceable(ranks.background, "light"), undefined);
});

test("whatever comes and goes, everything that waits comes out once, in the order of ranks and of each caller", () => {
  const action = fc.oneof(
    fc.record({
      kind: fc.constant("push" as const),
      caller: fc.constantFrom("a", "b", "c"),
      rank: fc.constantFrom(2, 3, 4),
    }),
    fc.record({ kind: fc.constant("take" as const) }),
    fc.record({ kind: fc.constant("remove" as const), which: fc.nat(50) }),
    fc.record({ kind: fc.constant("expire" as const), now: fc.nat(100) }),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
      const queue = new LoadQueue<Call>();
      let model: Call[] = [];
      for (const [index, act] of actions.entries()) {
        if (act.kind === "push") {
          const pushed = call(`${index}`, act.caller, act.rank as Rank, index);
          queue.push(pushed);
          model.push(pushed);
        } else if (act.kind === "take") {
          const taken = queue.take();
          assert.equal(taken === undefined, model.length === 0);
          if (taken === undefined) continue;
          assert.ok(model.every(({ rank }) => rank >= taken.rank));
          assert.equal(
            model.find(({ rank, caller }) => rank === taken.rank && caller === taken.caller),
            taken,
          );
          model = model.filter((one) => one !== taken);
        } else if (act.kind === "remove") {
          const removed = model[act.which];
          if (removed !== undefined) queue.remove(removed);
          model = model.filter((one) => one !== removed);
        } else {
          const expired = new Set(queue.takeExpired(act.now));
          assert.deepEqual(expired, new Set(model.filter(({ deadline }) => deadline <= act.now)));
          model = model.filter((one) => !expired.has(one));
        }
        assert.equal(queue.length, model.length);
      }
      assert.deepEqual(order(queue).sort(), model.map(({ name }) => name).sort());
    }),
  );
});
