/** What counts as good of what nodes answered. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AnswerFigures } from "../../ports/meters.ts";
import { nodeCounts, RequestCounts } from "./requests.ts";

const never = { upMs: 0, downMs: 0 };

function figures(answered: AnswerFigures["answered"], shed: AnswerFigures["shed"] = {}): AnswerFigures[] {
  return [{ service: "account", operation: "deposit", answered, shed }];
}

test("being turned away is bad, at the door or behind it, a declared error is good, the caller's own fault is neither", () => {
  const of = (all: AnswerFigures[]) => nodeCounts("a", all, never).requests.account;
  assert.deepEqual(of(figures({ ok: 5, insufficientFunds: 2, invalid_argument: 7 })), { good: 7, bad: 0 });
  assert.deepEqual(of(figures({ ok: 5, resource_exhausted: 3, unavailable: 1 }, { queue: 2, bound: 1 })), {
    good: 5,
    bad: 4,
  });
  // Four more were turned away before they were read.
  assert.deepEqual(of(figures({ ok: 5, resource_exhausted: 3 }, { queue: 7 })), { good: 5, bad: 7 });
});

test("what happened since the last look is counted once, and a node that started again from its start", () => {
  const counts = new RequestCounts();
  const look = (good: number, upMs: number) =>
    counts.since([nodeCounts("a", figures({ ok: good }), { upMs, downMs: 0 })], ["account"]);
  assert.deepEqual(look(10, 500).services.get("account"), { good: 10, bad: 0 });
  const second = look(12, 800);
  assert.deepEqual([second.services.get("account"), second.keyTimes.good], [{ good: 2, bad: 0 }, 300]);
  assert.equal(look(12, 800).services.get("account"), undefined);
  assert.deepEqual(look(3, 100).services.get("account"), { good: 3, bad: 0 });
});
