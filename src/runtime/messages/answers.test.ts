import assert from "node:assert/strict";
import { test } from "node:test";
import { declared, failed, failure, succeeded, toError, withCut, withOutcome } from "../replies.ts";
import { deliveryAnswerOf } from "./answers.ts";

test("a value and a declared error are a delivery", () => {
  assert.equal(deliveryAnswerOf(succeeded("1")).kind, "delivered");
  assert.equal(deliveryAnswerOf(declared("closed", "closed", undefined)).kind, "delivered");
});

test("whoever could not take it now makes the message wait, also where nobody knows what has happened outside", () => {
  for (const code of ["unavailable", "resource_exhausted", "deadline_exceeded", "cancelled", "aborted"]) {
    for (const outcome of ["not-happened", "unknown"] as const) {
      const answer = deliveryAnswerOf(failure(code, "not now", { outcome, retryAfterMs: 100 }));
      assert.deepEqual(answer, { kind: "waits", retryAfterMs: 100 }, `${code} ${outcome}`);
    }
  }
});

test("an answer that was lost, and a refusal for good, cost the message an attempt", () => {
  const lost = withCut(withOutcome(failure("unavailable", "the link was cut"), "unknown"));
  assert.equal(deliveryAnswerOf(lost).kind, "failed");
  assert.equal(deliveryAnswerOf(failure("unavailable", "cut too often", { retryable: false })).kind, "failed");
  assert.equal(deliveryAnswerOf(failure("internal", "it threw")).kind, "failed");
});

test("that an answer was lost is known of a handler that passes the failure on", () => {
  const lost = withCut(withOutcome(failure("unavailable", "the link was cut"), "unknown"));
  assert.ok(!lost.ok);
  assert.equal(deliveryAnswerOf(failed(toError(lost.error))).kind, "failed");
});

test("what came too late is nobody's fault, though an answer was lost before", () => {
  assert.equal(deliveryAnswerOf(withCut(failure("deadline_exceeded", "too late"))).kind, "waits");
});
