import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { defaultLoadLimits } from "./limits.ts";
import { Slots } from "./slots.ts";

const windowMs = 50;
const limits = { ...defaultLoadLimits, slotsFirst: 256 };

/** More than always may be, and fewer than foretell how long they will wait. */
const manyAtStore = 12;

interface Windows {
  readonly from?: number;
  readonly wanted?: boolean;
  readonly atStore?: number;
}

/**
 * Windows in which commands waited so long for the store, so many of them at a time, and calls wanted slots or not. Gives
 * the end of the last one.
 */
function windows(slots: Slots, count: number, waitMs: number, how: Windows = {}): number {
  const { from = 0, wanted = true, atStore = manyAtStore } = how;
  let now = from;
  for (let window = 0; window < count; window++) {
    for (let asked = 0; asked < atStore; asked++) slots.storeAsked();
    for (let answered = 0; answered < atStore; answered++) slots.storeAnswered(waitMs);
    if (wanted) slots.wanted();
    now += windowMs;
    slots.look(now);
  }
  return now;
}

describe("the limit of calls under way", () => {
  test("grows while it holds calls back and the store answers quickly, to its bound", () => {
    const slots = new Slots(limits);
    windows(slots, 1, 5);
    assert.equal(slots.limit, 384);
    windows(slots, 40, 5, { from: 50 });
    assert.equal(slots.limit, defaultLoadLimits.slotsMax);
  });

  test("stays where it is while it holds nobody back", () => {
    const slots = new Slots(limits);
    windows(slots, 100, 5, { wanted: false });
    assert.equal(slots.limit, 256);
  });

  test("falls while commands wait for the store for longer than 50 ms, and no lower than its bound", () => {
    const slots = new Slots(limits);
    let now = windows(slots, 3, 5);
    const before = slots.limit;
    now = windows(slots, 1, 100, { from: now });
    assert.ok(slots.limit < before * 0.8);
    windows(slots, 100, 1_000, { from: now });
    assert.equal(slots.limit, defaultLoadLimits.slotsMin);
  });

  test("tolerates three times the wait that is the rule where the store is slow by nature", () => {
    const slots = new Slots(limits);
    windows(slots, 50, 200);
    assert.ok(slots.limit >= 256);
  });

  test("but no more of it than a tenth of the time that callers have, so that a slow store makes them not late", () => {
    const [patient, impatient] = [new Slots(limits), new Slots(limits)];
    for (let call = 0; call < 100; call++) {
      patient.started(10_000);
      impatient.started(call % 2 === 0 ? 10_000 : 1_000);
    }
    for (const slots of [patient, impatient]) {
      const now = windows(slots, 20, 80);
      windows(slots, 20, 230, { from: now });
    }
    assert.equal(patient.limit, defaultLoadLimits.slotsMax);
    assert.ok(impatient.limit < defaultLoadLimits.slotsMax / 5, `${impatient.limit}`);
  });

  test("moves when as many calls have ended as are under way, or after four windows", () => {
    const slots = new Slots(limits);
    for (let taken = 0; taken < 40; taken++) slots.take();
    windows(slots, 3, 5);
    assert.equal(slots.limit, 256, "what the last move did is not seen yet");
    windows(slots, 1, 5, { from: 3 * windowMs });
    assert.equal(slots.limit, 384);
    for (let ended = 0; ended < 20; ended++) slots.release();
    windows(slots, 1, 5, { from: 4 * windowMs });
    assert.ok(slots.limit > 384, "20 have ended, and 20 are under way");
  });

  test("tolerates twice that wait for the impatient, too: a call that just missed a commit waits for two", () => {
    const slots = new Slots(limits);
    for (let call = 0; call < 100; call++) slots.started(1_000);
    windows(slots, 50, 380, { from: windows(slots, 1, 200) });
    assert.ok(slots.limit > limits.slotsFirst, `${slots.limit}`);
  });

  test("moves no sooner than after two of its waits where the store is slow by nature, or a second", () => {
    for (const [waitMs, lengths] of [
      [300, 12],
      [5_000, 20],
    ] as const) {
      const slots = new Slots(limits);
      windows(slots, 1, waitMs, { wanted: false });
      for (let taken = 0; taken < 40; taken++) slots.take();
      const now = windows(slots, lengths - 1, waitMs, { from: windowMs });
      assert.equal(slots.limit, 256);
      windows(slots, 1, waitMs, { from: now });
      assert.ok(slots.limit > 256, `${slots.limit}`);
    }
  });

  test("does not take the wait that an overload makes for the rule, however long that lasts", () => {
    const slots = new Slots(limits);
    const now = windows(slots, 20, 10);
    windows(slots, 2_000, 60, { from: now });
    assert.equal(slots.limit, defaultLoadLimits.slotsMin);
  });

  test("takes the wait for the rule that so few calls have that there cannot be fewer, and grows again", () => {
    const slots = new Slots(limits);
    let now = windows(slots, 20, 10);
    now = windows(slots, 50, 300, { from: now });
    assert.equal(slots.limit, defaultLoadLimits.slotsMin);
    now = windows(slots, 12, 300, { from: now, atStore: defaultLoadLimits.slotsMin });
    assert.ok(slots.limit > 2 * defaultLoadLimits.slotsMin, `${slots.limit}`);
    now = windows(slots, 20, 320, { from: now });
    assert.ok(slots.limit > 4 * defaultLoadLimits.slotsMin, "nobody waits for others");
    windows(slots, 60, 1_500, { from: now });
    assert.equal(slots.limit, defaultLoadLimits.slotsMin, "but in an overload they do");
  });

  test("but not the wait of calls that others were in front of when they came to the store", () => {
    const slots = new Slots(limits);
    let now = windows(slots, 20, 10);
    now = windows(slots, 50, 300, { from: now });
    windows(slots, 6, 300, { from: now, atStore: defaultLoadLimits.slotsMin });
    assert.equal(slots.limit, defaultLoadLimits.slotsMin, "they came before there were few");
  });

  test("falls while the store answers nothing at all, and is back half a second after it does", () => {
    const slots = new Slots(limits);
    let now = windows(slots, 2, 5);
    const before = slots.limit;
    for (let asked = 0; asked < 100; asked++) slots.storeAsked();
    for (const until = now + 2_000; now < until; now += 25) {
      slots.wanted();
      slots.look(now);
    }
    assert.ok(slots.limit < before / 2, `${slots.limit}`);
    for (let asked = 0; asked < 100; asked++) slots.storeAnswered(5);
    windows(slots, 10, 5, { from: now });
    assert.ok(slots.limit >= before, `${slots.limit}`);
  });

  test("sees by the number of calls at the store that they will wait for long, before any of them has", () => {
    const slots = new Slots(limits);
    for (let asked = 0; asked < 200; asked++) slots.storeAsked();
    for (let answered = 0; answered < 10; answered++) slots.storeAnswered(5);
    slots.wanted();
    slots.look(windowMs);
    assert.ok(slots.limit < 256, "190 calls at 10 in 50 ms");
  });

  test("foretells nothing from a part of one wait, in which only some of a commit's calls have come back", () => {
    const slots = new Slots(limits);
    const now = windows(slots, 2, 250);
    const before = slots.limit;
    for (let asked = 0; asked < 60; asked++) slots.storeAsked();
    for (let answered = 0; answered < 10; answered++) slots.storeAnswered(250);
    slots.wanted();
    slots.look(now + 250);
    assert.ok(slots.limit >= before, `${slots.limit} after ${before}`);
  });

  test("grows for calls that wait for something else than this node", () => {
    const slots = new Slots(limits);
    let now = 0;
    for (let window = 0; window < 5; window++) {
      slots.wanted();
      slots.turned(0);
      now += windowMs;
      slots.look(now);
    }
    assert.ok(slots.limit > 1_000);
  });

  test("falls while the event loop is late beyond the slice of handlers", () => {
    const slots = new Slots(limits);
    let now = 0;
    for (let window = 0; window < 3; window++) {
      slots.wanted();
      slots.turned(200);
      now += windowMs;
      slots.look(now);
    }
    assert.ok(slots.limit < 150);
  });
});
