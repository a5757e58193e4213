import assert from "node:assert/strict";
import { test } from "node:test";
import { texts } from "./packing.ts";

test("texts stand in an array of PostgreSQL as they are: only quotes and backslashes have one before them", () => {
  assert.equal(texts(["plain, with {braces}", null, ""]), '{"plain, with {braces}",NULL,""}');
  assert.equal(texts([String.raw`{"a":"\n\"é"}`]), String.raw`{"{\"a\":\"\\n\\\"é\"}"}`);
  // A string of JSON would have a letter after a backslash for these.
  assert.equal(texts(['"\n\t\u0001', "\\\n", "\u007f\u2028"]), '{"\\"\n\t\u0001","\\\\\n","\u007f\u2028"}');
});
