// The services in this process, on a store in memory; everything else is as it is in production.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startSystem } from "synod";
import { Counter } from "./counter.interface.ts";
import { countMax } from "./counter.ts";
import system from "./system.ts";

test("a counter adds up", async () => {
  await using running = await startSystem(system);
  const clicks = running.to(Counter, "clicks");
  await clicks.add({ step: 2 });
  await clicks.add({ step: 3 });
  assert.deepEqual(await clicks.value(), { count: 5 });
});

test("a full counter says so, and stays as it is", async () => {
  await using running = await startSystem(system);
  const clicks = running.to(Counter, "clicks");
  await clicks.add({ step: countMax });
  const answer = await clicks.add.safe({ step: 1 });
  assert.ok(!answer.ok && answer.error.code === "full");
  assert.deepEqual(await clicks.value(), { count: countMax });
});
