import assert from "node:assert/strict";
import { test } from "node:test";
import { type AttemptEffect, DurableAttempt, type Remembered } from "./attempt.ts";
import { afterAttempt, calleeWaits, mayStart } from "./schedule.ts";

const issue = (call: number, id: string, remembered: Remembered = "callee", inputHash = "i") =>
  ({ kind: "issue", call, id, name: id, inputHash, remembered }) as const;

/** Effects in short: `write 1: a`, `leave 1`, `deliver 1 x`. */
function inWords(effects: readonly AttemptEffect[]): string[] {
  return effects.map((effect) => {
    switch (effect.kind) {
      case "write":
        return `write ${effect.write}: ${effect.entries.map(({ id, outcome }) => (outcome === null ? id : `${id}=${outcome}`)).join(" ")}`;
      case "leave":
        return `leave ${effect.call}${effect.first ? "" : " again"}`;
      case "deliver":
        return `deliver ${effect.call} ${effect.outcome}`;
      case "stray":
        return `stray: ${effect.reason}`;
      default:
        return effect.kind;
    }
  });
}

test("a call leaves when its id is durable, and what its handler saw by then with it", () => {
  const attempt = new DurableAttempt([]);
  assert.deepEqual(inWords(attempt.step(issue(1, "query", "soon"))), ["write 1: query"]);
  assert.deepEqual(inWords(attempt.step({ kind: "written", write: 1 })), ["leave 1"]);
  assert.deepEqual(inWords(attempt.step({ kind: "answered", call: 1, outcome: "5" })), ["turn"]);
  assert.deepEqual(inWords(attempt.step({ kind: "turned" })), ["deliver 1 5"]);
  assert.deepEqual(inWords(attempt.step(issue(2, "command"))), ["write 2: query=5 command"]);
  assert.deepEqual(
    attempt.durable.map(({ outcome }) => outcome),
    [null],
    "what is under way is not durable",
  );
  assert.deepEqual(inWords(attempt.step({ kind: "written", write: 2 })), ["leave 2"]);
});

test("what must not be done twice is recorded at once, and holds up what leaves after it", () => {
  const attempt = new DurableAttempt([]);
  attempt.step(issue(1, "step", "now"));
  attempt.step({ kind: "written", write: 1 });
  assert.deepEqual(inWords(attempt.step({ kind: "answered", call: 1, outcome: "7" })), ["write 2: step=7", "turn"]);
  attempt.step({ kind: "turned" });
  assert.deepEqual(inWords(attempt.step(issue(2, "command"))), ["write 3: step=7 command"]);
  assert.deepEqual(inWords(attempt.step({ kind: "written", write: 2 })), []);
  assert.deepEqual(inWords(attempt.step({ kind: "written", write: 3 })), ["leave 2"]);
});

test("no call is known without the outcomes that its input was made of, whichever writes fail", () => {
  const attempt = new DurableAttempt([]);
  attempt.step(issue(1, "query", "soon"));
  attempt.step({ kind: "written", write: 1 });
  attempt.step({ kind: "answered", call: 1, outcome: "5" });
  attempt.step({ kind: "turned" });
  attempt.step(issue(2, "first"));
  // The second write fails: nothing says that it became durable, and the third one does.
  assert.deepEqual(inWords(attempt.step(issue(3, "second"))), ["write 3: query=5 first second"]);
  assert.deepEqual(inWords(attempt.step({ kind: "written", write: 3 })), ["leave 2", "leave 3"]);
  assert.deepEqual(
    attempt.durable.map(({ id, outcome }) => [id, outcome]),
    [
      ["query", "5"],
      ["first", null],
      ["second", null],
    ],
  );
  assert.deepEqual(inWords(attempt.step(issue(4, "third"))), ["write 4: third"]);
});

test("outcomes are delivered in the order of the calls, one in each turn of the event loop", () => {
  const attempt = new DurableAttempt([]);
  attempt.step(issue(1, "slow"));
  attempt.step(issue(2, "fast"));
  attempt.step({ kind: "written", write: 2 });
  assert.deepEqual(inWords(attempt.step({ kind: "answered", call: 2, outcome: "b" })), []);
  assert.deepEqual(inWords(attempt.step({ kind: "answered", call: 1, outcome: "a" })), ["turn"]);
  assert.deepEqual(inWords(attempt.step({ kind: "turned" })), ["deliver 1 a", "turn"]);
  assert.deepEqual(inWords(attempt.step({ kind: "turned" })), ["deliver 2 b"]);
});

test("a repeat gets what is recorded without asking, and asks the callee that remembers", () => {
  const attempt = new DurableAttempt([
    { id: "query", name: "query", inputHash: "i", outcome: "5" },
    { id: "command", name: "command", inputHash: "i", outcome: null },
  ]);
  assert.deepEqual(inWords(attempt.step(issue(1, "query", "soon"))), ["turn"]);
  assert.deepEqual(inWords(attempt.step(issue(2, "command"))), ["leave 2 again"]);
  assert.deepEqual(inWords(attempt.step({ kind: "turned" })), ["deliver 1 5"]);
});

test("another input under an id, or an end without a call that was made, is told and stops the attempt", () => {
  const journal = [{ id: "a", name: "stock.take", inputHash: "i", outcome: null }];
  const other = new DurableAttempt(journal);
  const strayed = ["stray: it called a with another input than an earlier attempt did"];
  assert.deepEqual(inWords(other.step(issue(1, "a", "callee", "another"))), strayed);
  assert.deepEqual(inWords(other.step(issue(2, "b"))), []);
  const short = new DurableAttempt(journal);
  const missing = ["stray: it ended without calling stock.take, which an earlier attempt called"];
  assert.deepEqual(inWords(short.step({ kind: "ended" })), missing);
  const full = new DurableAttempt(journal);
  full.step(issue(1, "a"));
  assert.deepEqual(inWords(full.step({ kind: "ended" })), ["finish"]);
  assert.deepEqual(inWords(full.step(issue(2, "a"))), ["twice"]);
});

const limits = { attemptsMax: 3, ageMaxMs: 1_000, backoffBaseMs: 100, backoffMaxMs: 150 };
const standing = { attempts: 1, waits: 0, ageMs: 10, random: 0.5 };
const failed = { kind: "failed", code: "internal", message: "cannot" } as const;
const waited = { kind: "waited", code: "unavailable", message: "away" } as const;

test("what counts is tried again after a backoff that grows to its bound, and parked after its attempts", () => {
  assert.deepEqual(afterAttempt(failed, standing, limits), { kind: "again", attempts: 1, afterMs: 50 });
  assert.deepEqual(afterAttempt(failed, { ...standing, attempts: 2 }, limits), {
    kind: "again",
    attempts: 2,
    afterMs: 75,
  });
  const last = afterAttempt(failed, { ...standing, attempts: 3 }, limits);
  assert.ok(last.kind === "park" && /^3 attempts failed, the last one: cannot$/.test(last.message));
  assert.ok(mayStart(2, limits) && !mayStart(3, limits));
});

test("what only waited is not counted, however often, and parked when it has become too old", () => {
  const often = { ...standing, attempts: 3, waits: 50 };
  assert.deepEqual(afterAttempt(waited, often, limits), { kind: "again", attempts: 2, afterMs: 75 });
  const old = afterAttempt(waited, { ...often, ageMs: 1_000 }, limits);
  assert.ok(old.kind === "park" && old.code === "unavailable");
  const hopeless = afterAttempt({ ...failed, kind: "hopeless" }, standing, limits);
  assert.ok(hopeless.kind === "park" && hopeless.message === "cannot");
});

test("a callee that its nodes died of does not count as one that waits", () => {
  assert.ok(calleeWaits({ code: "unavailable", retryable: true }));
  assert.ok(!calleeWaits({ code: "unavailable", retryable: false }));
  assert.ok(calleeWaits({ code: "failed_precondition", retryable: false }));
  assert.ok(!calleeWaits({ code: "invalid_argument", retryable: false }));
});
