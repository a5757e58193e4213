import assert from "node:assert/strict";
import { test } from "node:test";
import { type DeliveryAnswer, Outbox, type OutboxEffect, type OutboxInput } from "./outbox.ts";

const options = { ownFrom: 100, deliveriesMax: 4, attemptsMax: 3, backoffBaseMs: 100, backoffMaxMs: 1_000 };
const delivered: DeliveryAnswer = { kind: "delivered" };
const waits: DeliveryAnswer = { kind: "waits", retryAfterMs: 0 };
const failed: DeliveryAnswer = { kind: "failed", reason: { code: "internal", message: "it broke" } };

/** An outbox whose shard has no rows of earlier owners. */
function outbox(own: Partial<typeof options> = {}): Outbox {
  const made = new Outbox({ ...options, ...own });
  made.step({ kind: "found", letters: [], parked: [], last: true });
  return made;
}

const sent = (number: number, pair: string): OutboxInput => ({ kind: "sent", letter: { number, pair, attempts: 0 } });
const answer = (number: number, how: DeliveryAnswer, now = 0): OutboxInput => {
  return { kind: "answered", number, now, answer: how, chance: 0.5 };
};
const delivers = (effects: readonly OutboxEffect[]) =>
  effects.flatMap((effect) => (effect.kind === "deliver" ? [effect.number] : []));
const kinds = (effects: readonly OutboxEffect[]) => effects.map(({ kind }) => kind);

test("of one pair one message is under way at a time, in the order of the numbers; pairs do not wait for each other", () => {
  const own = outbox();
  assert.deepEqual(delivers(own.step(sent(1, "a"))), [1]);
  assert.deepEqual(delivers(own.step(sent(2, "a"))), []);
  assert.deepEqual(delivers(own.step(sent(3, "b"))), [3]);
  assert.deepEqual(own.step(answer(1, delivered)), [
    { kind: "settle", number: 1 },
    { kind: "deliver", number: 2, attempt: 1, prompt: true },
  ]);
});

test("what cannot be taken now is tried again after a wait, spends nothing, and holds up its own pair only", () => {
  const own = outbox();
  own.step(sent(1, "a"));
  own.step(sent(2, "a"));
  for (let round = 0; round < 20; round++) {
    assert.deepEqual(kinds(own.step(answer(1, waits, round * 1_000))), [], "nothing is written for it");
    assert.ok(own.nextAt! > round * 1_000 && own.nextAt! <= (round + 1) * 1_000);
    assert.deepEqual(delivers(own.step({ kind: "time", now: (round + 1) * 1_000 })), [1]);
  }
  assert.deepEqual(delivers(own.step(sent(3, "b"))), [3]);
});

test("the wait is at least what the receiver asked for, and never longer than its bound", () => {
  const own = outbox();
  own.step(sent(1, "a"));
  own.step(answer(1, { kind: "waits", retryAfterMs: 700 }));
  assert.equal(own.nextAt, 700);
  own.step({ kind: "time", now: 700 });
  own.step(answer(1, { kind: "waits", retryAfterMs: 60_000 }, 700));
  assert.equal(own.nextAt, 1_700);
});

test("a message on which its receiver fails is counted before every further attempt, and parked with the reason after the last", () => {
  const own = outbox();
  own.step(sent(1, "a"));
  own.step(sent(2, "a"));
  own.step(answer(1, failed));
  assert.deepEqual(own.step({ kind: "time", now: 1_000 }), [{ kind: "count", number: 1, attempts: 2, waits: true }]);
  assert.deepEqual(own.step({ kind: "counted", number: 1 }), [
    { kind: "deliver", number: 1, attempt: 2, prompt: false },
  ]);
  own.step(answer(1, failed));
  own.step({ kind: "time", now: 2_000 });
  own.step({ kind: "counted", number: 1 });
  assert.deepEqual(own.step(answer(1, failed)), [
    { kind: "park", number: 1, attempts: 3, reason: { code: "internal", message: "it broke" } },
  ]);
  assert.deepEqual(own.step({ kind: "parked", number: 1 }), [{ kind: "deliver", number: 2, attempt: 1, prompt: true }]);
});

test("a message of an earlier owner is counted before it leaves, and not charged for an attempt that only waited", () => {
  const own = new Outbox(options);
  const letters = [{ number: 1, pair: "a", attempts: 1 }];
  assert.deepEqual(own.step({ kind: "found", letters, parked: [], last: false }), [
    { kind: "count", number: 1, attempts: 2, waits: true },
  ]);
  own.step({ kind: "counted", number: 1 });
  assert.deepEqual(own.step(answer(1, waits)), [{ kind: "count", number: 1, attempts: 1, waits: false }]);
});

test("a message whose last attempt ended its owner is parked unheard", () => {
  const own = new Outbox(options);
  const letters = [{ number: 1, pair: "a", attempts: 3 }];
  const [effect] = own.step({ kind: "found", letters, parked: [], last: true });
  assert.equal(effect?.kind === "park" && effect.reason.code, "unavailable");
});

test("what earlier owners left goes from the first page on; what is new waits until all of that is known", () => {
  const own = new Outbox(options);
  assert.deepEqual(delivers(own.step(sent(100, "a"))), []);
  const first = [{ number: 1, pair: "b", attempts: 0 }];
  assert.deepEqual(kinds(own.step({ kind: "found", letters: first, parked: [], last: false })), ["count"]);
  const second = [{ number: 2, pair: "a", attempts: 0 }];
  own.step({ kind: "found", letters: second, parked: [], last: true });
  assert.deepEqual(delivers(own.step({ kind: "counted", number: 2 })), [2]);
  assert.deepEqual(delivers(own.step(answer(2, delivered))), [100]);
});

test("pairs in trouble never take more than half of the places", () => {
  const own = outbox({ deliveriesMax: 4 });
  for (let number = 1; number <= 8; number++) own.step(sent(number, `p${number}`));
  for (let number = 1; number <= 8; number++) own.step(answer(number, waits));
  assert.equal(delivers(own.step({ kind: "time", now: 10_000 })).length, 2);
  assert.deepEqual(delivers(own.step(sent(9, "well"))), [9]);
});

test("an operator drops what waits at once, and what is under way when it comes back", () => {
  const own = outbox();
  for (const number of [1, 2, 3]) own.step(sent(number, "a"));
  assert.deepEqual(own.step({ kind: "drop", number: 2 }), [{ kind: "settle", number: 2 }]);
  assert.deepEqual(own.step({ kind: "drop", number: 1 }), []);
  assert.deepEqual(own.step(answer(1, failed)), [
    { kind: "settle", number: 1 },
    { kind: "deliver", number: 3, attempt: 1, prompt: true },
  ]);
  own.step(answer(3, waits));
  assert.deepEqual(own.step({ kind: "drop", number: 3 }), [{ kind: "settle", number: 3 }]);
  assert.equal(own.pending, 0);
  assert.equal(own.length, 3, "the rows are there until their removal is durable");
  for (const number of [1, 2, 3]) own.step({ kind: "settled", number });
  assert.equal(own.length, 0);
  assert.deepEqual(own.step({ kind: "time", now: 100_000 }), []);
});

test("a parked message that an operator retries goes before what its pair sent later", () => {
  const own = new Outbox(options);
  own.step({ kind: "found", letters: [], parked: [1], last: true });
  own.step(sent(2, "a"));
  own.step(sent(3, "a"));
  own.step({ kind: "retry", letter: { number: 1, pair: "a", attempts: 0 } });
  assert.deepEqual(kinds(own.step(answer(2, delivered))), ["settle", "count"]);
  assert.deepEqual(delivers(own.step({ kind: "counted", number: 1 })), [1]);
  assert.deepEqual(delivers(own.step(answer(1, delivered))), [3]);
});

test("a page that comes late shows what was sent since: that is delivered once, and does not stay in the way", () => {
  const own = new Outbox(options);
  const late = { number: 100, pair: "a", attempts: 0 };
  assert.deepEqual(delivers(own.step(sent(100, "a"))), []);
  const earlier = { number: 7, pair: "a", attempts: 0 };
  own.step(sent(101, "b"));
  const other = { number: 101, pair: "b", attempts: 0 };
  const found = own.step({ kind: "found", letters: [earlier, late, other], parked: [], last: true });
  assert.deepEqual(delivers(found), [101]);
  assert.deepEqual(kinds(own.step(answer(101, delivered))), ["settle"]);
  own.step({ kind: "settled", number: 101 });
  assert.deepEqual(delivers(own.step({ kind: "counted", number: 7 })), [7]);
  assert.deepEqual(delivers(own.step(answer(7, delivered))), [100]);
  assert.deepEqual(kinds(own.step(answer(100, delivered))), ["settle"]);
  own.step({ kind: "settled", number: 7 });
  own.step({ kind: "settled", number: 100 });
  assert.equal(own.length, 0);
});
