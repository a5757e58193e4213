import assert from "node:assert/strict";
import { test } from "node:test";
import { thrownInWords } from "./thrown.ts";

test("an error is told by its name, its message and where it came from", () => {
  const words = thrownInWords(new TypeError("no such shelf"));
  assert.match(words, /^TypeError: no such shelf, at .*thrown\.test\.ts:6:/);
  assert.ok(!words.includes("\n"));
});

test("whatever is thrown has words, and not too many of them", () => {
  assert.equal(thrownInWords("gone"), "a thrown string: gone");
  assert.equal(thrownInWords(Object.create(null)), "a thrown object: nothing that can be shown");
  const broken = Object.assign(new Error("x"), { stack: undefined });
  assert.equal(thrownInWords(broken), "Error: x");
  const long = thrownInWords(Object.assign(new Error("y".repeat(10_000)), { stack: "" }));
  assert.equal(long.length, 500);
  assert.ok(thrownInWords(new Error(`${"z".repeat(491)}😀${"z".repeat(99)}`)).isWellFormed());
});
