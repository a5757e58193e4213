import assert from "node:assert/strict";
import { test } from "node:test";
import { KeyUptime } from "./key-uptime.ts";

test("a key is down from a bad answer until the next good one, however often it is asked meanwhile", () => {
  const [asked, hammered] = [new KeyUptime(), new KeyUptime()];
  for (const uptime of [asked, hammered]) {
    uptime.answered("account", "alice", true, 0);
    uptime.answered("account", "alice", false, 10_000);
  }
  for (let now = 10_000; now < 15_000; now++) hammered.answered("account", "alice", false, now);
  for (const uptime of [asked, hammered]) {
    uptime.answered("account", "alice", true, 15_000);
    assert.deepEqual(uptime.read(), { upMs: 10_000, downMs: 5_000 });
  }
});

test("time in which nobody asks for a key is neither up nor down", () => {
  const uptime = new KeyUptime();
  uptime.answered("account", "alice", false, 0);
  uptime.answered("account", "alice", true, 3_600_000);
  assert.deepEqual(uptime.read(), { upMs: 0, downMs: 0 });
});

test("the keys that are followed are bounded", () => {
  const uptime = new KeyUptime();
  for (let number = 0; number < 20_000; number++) uptime.answered("account", `key-${number}`, true, number);
  // The first ones have made room: they begin anew, and count nothing.
  uptime.answered("account", "key-0", true, 20_000);
  assert.deepEqual(uptime.read(), { upMs: 0, downMs: 0 });
});
