import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Clock } from "../ports/clock.ts";
import { Deadlines, type Due } from "./deadlines.ts";

/** A clock by hand: timers fire as it is moved on, each at its time. */
class HandClock implements Clock {
  now = 0;
  timersSet = 0;
  readonly #timers = new Set<{ readonly at: number; readonly callback: () => void }>();

  get timersLeft(): number {
    return this.#timers.size;
  }

  monotonic(): number {
    return this.now;
  }

  wall(): number {
    return this.now;
  }

  soon(): void {
    assert.fail("nothing is gathered here");
  }

  setTimer(delayMs: number, callback: () => void): { cancel: () => void } {
    const timer = { at: this.now + delayMs, callback };
    this.timersSet += 1;
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  moveTo(until: number): void {
    for (;;) {
      const [first] = [...this.#timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at);
      if (first === undefined) break;
      this.now = Math.max(this.now, first.at);
      this.#timers.delete(first);
      first.callback();
    }
    this.now = until;
  }
}

class Call implements Due {
  readonly deadline: number;
  passedAt: number | null = null;
  readonly passed: () => void;

  constructor(clock: Clock, deadline: number) {
    this.deadline = deadline;
    this.passed = () => {
      assert.equal(this.passedAt, null, "a deadline passes once");
      this.passedAt = clock.monotonic();
    };
  }
}

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("add" as const), inMs: fc.integer({ min: -5, max: 300 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("remove" as const), which: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.nat(120) }) },
);

test("each deadline that was not taken back passes when it is due, the others never", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const clock = new HandClock();
      const deadlines = new Deadlines(clock);
      const calls: { readonly call: Call; readonly addedAt: number; isRemoved: boolean }[] = [];
      for (const one of steps) {
        if (one.kind === "wait") clock.moveTo(clock.now + one.ms);
        else if (one.kind === "add") {
          const call = new Call(clock, clock.now + one.inMs);
          calls.push({ call, addedAt: clock.now, isRemoved: false });
          deadlines.add(call);
        } else {
          const open = calls.filter(({ call, isRemoved }) => !isRemoved && call.passedAt === null);
          const goes = open[one.which % Math.max(1, open.length)];
          if (goes === undefined) continue;
          deadlines.remove(goes.call);
          goes.isRemoved = true;
        }
      }
      clock.moveTo(clock.now + 1_000);
      for (const { call, addedAt, isRemoved } of calls) {
        assert.equal(call.passedAt, isRemoved ? null : Math.max(addedAt, call.deadline));
      }
      assert.equal(clock.timersLeft, 0, "nothing is left that would keep a process alive");
    }),
  );
});

test("calls that have about the same time share a timer", () => {
  const clock = new HandClock();
  const deadlines = new Deadlines(clock);
  const calls = Array.from({ length: 1_000 }, (_, index) => new Call(clock, 30_000 + index / 1_000));
  for (const call of calls) deadlines.add(call);
  assert.ok(clock.timersSet <= 2, `${clock.timersSet} timers`);
});
