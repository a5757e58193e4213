/** The pace of refusals: at once as long as they are few, and never more than their share of the processor. */
import assert from "node:assert/strict";
import { beforeEach, describe, mock, test } from "node:test";
import { RefusalPace } from "./refusal-pace.ts";

/** What one refusal takes, ms. */
const costMs = 0.1;

describe("the pace of refusals", () => {
  let now: number;
  let busy: boolean;
  let told: number;
  let pace: RefusalPace;

  beforeEach((context) => {
    mock.timers.enable({ apis: ["setTimeout"] });
    if ("after" in context) context.after(() => mock.timers.reset());
    [now, busy, told] = [10_000, true, 0];
    pace = new RefusalPace(
      () => now,
      () => busy,
    );
  });

  function refuse(times: number, leftMs = 1_000): void {
    for (let index = 0; index < times; index++) {
      pace.refuse(() => {
        told += 1;
        now += costMs;
      }, leftMs);
    }
  }

  function pass(ms: number): void {
    for (let passed = 0; passed < ms; passed++) {
      now += 1;
      mock.timers.tick(1);
    }
  }

  test("a few are made at once, and a clock's reading later as many again", () => {
    refuse(50);
    assert.equal(told, 50);
    pass(100);
    refuse(50);
    assert.equal(told, 100);
  });

  test("of many, a sixteenth of the time's worth is made while calls wait, first come, first told", () => {
    refuse(1_000);
    const first = told;
    assert.ok(first >= 50 && first < 100, `${first} at once`);
    const began = now;
    pass(200);
    const part = ((told - first) * costMs) / (now - began);
    assert.ok(part > 0.05 && part < 0.075, `${part} of the time`);
    assert.equal(pace.held, 1_000 - told);
  });

  test("whoever came first is told first, however many come and are told in between", () => {
    const order: number[] = [];
    const said = (name: number) => () => {
      order.push(name);
      now += costMs;
    };
    for (let name = 0; name < 3_000; name++) {
      pace.refuse(said(name), 1_000);
      if (name % 10 === 0) pass(1);
    }
    pass(1_000);
    assert.equal(pace.held, 0);
    assert.deepEqual(
      order,
      Array.from({ length: 3_000 }, (_, name) => name),
    );
  });

  test("whoever has little time is told before those who have more, though they came first", () => {
    refuse(5_000, 10_000);
    let toldAt = Number.POSITIVE_INFINITY;
    const cameAt = now;
    pace.refuse(() => {
      toldAt = now;
    }, 200);
    pass(200);
    assert.ok(toldAt - cameAt <= 170, `after ${toldAt - cameAt} ms`);
    assert.ok(pace.held > 1_000);
  });

  test("nobody is held for longer than a second, nor than four fifths of the time that he has", () => {
    refuse(10_000, 10_000);
    pass(800);
    assert.ok(pace.held > 0);
    pass(200);
    assert.equal(pace.held, 0);
    refuse(5_000, 500);
    pass(300);
    assert.ok(pace.held > 0);
    pass(100);
    assert.equal(pace.held, 0);
  });

  test("while nothing waits they are made without a bound", () => {
    refuse(1_000);
    busy = false;
    pass(20);
    assert.equal(told, 1_000);
  });
});
