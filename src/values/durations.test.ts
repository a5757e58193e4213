import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDuration } from "./durations.ts";

test("a duration is a number of milliseconds or a number with a unit", () => {
  const cases: [number | string, number][] = [
    [0, 0],
    [1_500, 1_500],
    ["250ms", 250],
    ["5s", 5_000],
    ["1.5s", 1_500],
    ["5m", 300_000],
    ["1h", 3_600_000],
    ["2d", 172_800_000],
  ];
  for (const [written, ms] of cases) assert.equal(parseDuration(written, "the timeout"), ms);
});

test("anything else is refused in a sentence that names the subject and the forms", () => {
  const wrong = [-1, Number.NaN, Number.POSITIVE_INFINITY, "", "5", "5 s", "-5s", "5sec", "1e3s", "99999999d", null];
  for (const written of wrong) {
    assert.throws(() => parseDuration(written as string, "the timeout"), {
      code: "invalid_argument",
      message: /^the timeout is .*, and must be milliseconds .*"250ms", "5s", "5m", "1h" or "2d"$/,
    });
  }
});
