import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Pace } from "./pace.ts";

/** So many starts at each of these instants, something waiting all the while. */
function served(pace: Pace, instants: readonly number[], startsEach: number): void {
  pace.filled(instants[0]!, true);
  for (const now of instants) for (let start = 0; start < startsEach; start++) pace.started(now);
}

function every(ms: number, count: number, from = 0): number[] {
  return Array.from({ length: count }, (_, index) => from + index * ms);
}

function near(actual: number, expected: number, part: number): void {
  assert.ok(Math.abs(actual - expected) <= part * expected, `${actual} is not near ${expected}`);
}

describe("the pace of a queue", () => {
  test("is that of its starts, whether they come one by one or in bursts", () => {
    for (const [gapMs, startsEach] of [
      [0.4, 1],
      [20, 50],
      [200, 500],
      [600, 1_500],
    ] as const) {
      const pace = new Pace();
      served(pace, every(gapMs, Math.ceil(6_000 / gapMs)), startsEach);
      near(pace.intervalMs, 0.4, gapMs > 500 ? 0.5 : 0.2);
    }
  });

  test("is learnt within a second, faster or slower", () => {
    const pace = new Pace();
    served(pace, every(2, 500), 1);
    near(pace.intervalMs, 2, 0.2);
    served(pace, every(0.2, 5_000, 1_000), 1);
    near(pace.intervalMs, 0.2, 0.2);
  });

  test("hardly changes with one long pause of the process", () => {
    const pace = new Pace();
    served(pace, every(2, 2_000), 1);
    pace.started(4_000 + 3_000);
    assert.ok(pace.intervalMs < 4, `${pace.intervalMs}`);
  });

  test("follows handlers that take very long", () => {
    const pace = new Pace();
    served(pace, every(1_000, 20), 1);
    near(pace.intervalMs, 1_000, 0.6);
  });

  test("is forgotten when nothing has waited for half a minute", () => {
    const pace = new Pace();
    served(pace, every(200, 20), 1);
    assert.ok(pace.intervalMs > 100, `${pace.intervalMs}`);
    pace.emptied(4_000);
    pace.filled(3_600_000, false);
    near(pace.intervalMs, 0.2, 0.01);
  });

  test("counts what starts without a wait after a burst, where that uses up what the burst has left", () => {
    const paceWhere = (taken: boolean, lookedAt: boolean): Pace => {
      const pace = new Pace();
      for (let now = 0; now < 4_000; now += 200) {
        for (let start = 0; start < 100; start++) pace.started(now);
        pace.emptied(now);
        for (let start = 0; start < 400; start++) {
          // Whoever looks for calls that are too late finds nothing in the queue.
          if (lookedAt && start === 200) pace.emptied(now + 40);
          pace.startedAtOnce();
        }
        pace.filled(now + 80, taken);
      }
      return pace;
    };
    near(paceWhere(true, false).intervalMs, 0.4, 0.2);
    near(paceWhere(false, false).intervalMs, 1.2, 0.2);
    assert.equal(paceWhere(true, true).intervalMs, paceWhere(true, false).intervalMs);
  });

  test("does not count the time in which nothing waits", () => {
    const pace = new Pace();
    for (let round = 0; round < 200; round++) {
      served(pace, every(2, 11, round * 1_000), 1);
      pace.emptied(round * 1_000 + 20);
    }
    near(pace.intervalMs, 2, 0.2);
  });
});
