import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { threadFlags } from "./node-threads.ts";

test("a node that has one processor collects garbage where it makes it, unless whoever starts it has said otherwise", () => {
  assert.deepEqual(threadFlags(1, undefined, []), ["--v8-pool-size=1", "--single-threaded-gc"]);
  assert.deepEqual(threadFlags(2, undefined, []), []);
  assert.deepEqual(threadFlags(1, "--v8-pool-size=4", []), []);
  assert.deepEqual(threadFlags(1, undefined, ["--single_threaded_gc"]), []);
});

test("Node knows the flags of a node that has one processor", () => {
  const answer = execFileSync(process.execPath, [...threadFlags(1, undefined, []), "-p", "1 + 1"], {
    encoding: "utf8",
  });
  assert.equal(answer, "2\n");
});
