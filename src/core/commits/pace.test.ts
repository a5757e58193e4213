/** When what has gathered is sent before those are told who have arrived. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Pace } from "./pace.ts";

interface Times {
  readonly storeMs: number;
  readonly turnMs: number;
}

function paceOf({ storeMs, turnMs }: Times, lanes = 1): Pace {
  const pace = new Pace(lanes);
  for (let commit = 0; commit < 50; commit++) {
    pace.committed(storeMs);
    pace.turned(turnMs);
  }
  return pace;
}

test("where a turn takes as long as a commit, what has gathered leaves at once", () => {
  assert.equal(paceOf({ storeMs: 5, turnMs: 4 }).hurries(100, 100), true);
});

test("where a commit takes much longer than a turn, it waits for what the turn brings", () => {
  assert.equal(paceOf({ storeMs: 20, turnMs: 4 }).hurries(100, 100), false);
});

test("beside another lane, whose commit is under way meanwhile, it waits", () => {
  assert.equal(paceOf({ storeMs: 5, turnMs: 4 }, 2).hurries(100, 100), false);
});

test("little waits all the same, beside much that has arrived and at a quiet node", () => {
  const pace = paceOf({ storeMs: 5, turnMs: 4 });
  assert.equal(pace.hurries(20, 100), false);
  assert.equal(pace.hurries(3, 3), false);
  assert.equal(pace.measures(3), false);
});

test("nothing hurries before anything was measured, nor where time stands still as in a simulation", () => {
  assert.equal(new Pace(1).hurries(100, 100), false);
  assert.equal(paceOf({ storeMs: 0, turnMs: 0 }).hurries(100, 100), false);
});
