/** What flags and the environment say. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Command } from "commander";
import { readSeconds } from "./arguments.ts";
import { withEnvironment } from "./command.ts";

/** How long a drain is to take, by these words and that variable. */
function drainSeconds(words: readonly string[], variable: string): unknown {
  process.env.SYNOD_DRAIN_SECONDS = variable;
  try {
    const synod = new Command("synod").exitOverride().configureOutput({ writeErr: () => {} });
    const up = withEnvironment(synod, "up", "");
    up.option("--drain-seconds <seconds>", "", readSeconds, 10).action(() => {});
    synod.parse(["up", ...words], { from: "user" });
    return up.opts().drainSeconds;
  } finally {
    delete process.env.SYNOD_DRAIN_SECONDS;
  }
}

test("a variable that is empty says nothing, and a number that is empty is none", () => {
  assert.equal(drainSeconds([], "2.5"), 2.5);
  assert.equal(drainSeconds(["--drain-seconds", "0"], "2.5"), 0);
  assert.equal(drainSeconds([], ""), 10);
  for (const empty of ["", " "]) assert.throws(() => drainSeconds(["--drain-seconds", empty], ""), /Give seconds/);
});
