import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CallQueue } from "./queue.ts";

interface Item {
  readonly id: number;
  readonly bytes: number;
  readonly priority: number;
  waiting: boolean;
}

test("the queue is a list sorted by priority and age, whatever is taken back", () => {
  const operation = fc.oneof(
    fc.record({ push: fc.nat(6), bytes: fc.nat(50) }),
    fc.constant("next" as const),
    fc.record({ remove: fc.nat(30) }),
  );
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 300 }), (operations) => {
      const queue = new CallQueue<Item>();
      let model: Item[] = [];
      let made = 0;
      for (const what of operations) {
        if (what === "next") {
          const next = queue.peek();
          assert.equal(next, model[0]);
          if (next === undefined) continue;
          queue.remove(next);
          model = model.slice(1);
        } else if ("push" in what) {
          made++;
          const item = { id: made, bytes: what.bytes, priority: what.push, waiting: true };
          queue.push(item);
          const lane = (of: Item) => Math.min(of.priority, 3);
          const place = model.findIndex((other) => lane(other) > lane(item));
          model.splice(place === -1 ? model.length : place, 0, item);
        } else {
          const item = model[what.remove];
          if (item === undefined) continue;
          queue.remove(item);
          queue.remove(item);
          model = model.filter((other) => other !== item);
        }
        assert.equal(queue.length, model.length);
        assert.equal(
          queue.bytes,
          model.reduce((sum, { bytes }) => sum + bytes, 0),
        );
      }
    }),
    { seed: 1 },
  );
});

test("items that are taken back leave no pile behind one that waits", () => {
  const queue = new CallQueue<Item>();
  queue.push({ id: 0, bytes: 0, priority: 0, waiting: true });
  const before = process.memoryUsage().heapUsed;
  for (let id = 1; id <= 1_000_000; id++) {
    const item = { id, bytes: 1, priority: 0, waiting: true };
    queue.push(item);
    queue.remove(item);
  }
  assert.ok(process.memoryUsage().heapUsed - before < 50_000_000);
  assert.equal(queue.length, 1);
});
