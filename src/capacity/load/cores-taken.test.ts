/** What a process of the load takes, when nodes and machine are read as well. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CoresTaken } from "./cores-taken.ts";

const [settled, over] = [200, 700];

/** A load that takes half a processor while it settles and counts, and a tenth of one while it waits for answers; looked at every 10 ms. */
function coresSeen(waitsMs: number): number {
  let now = 0;
  const busyMs = (): number => 0.5 * Math.min(now, over) + 0.1 * Math.max(0, now - over);
  const taken = new CoresTaken(settled, over, () => ({ user: 600 * busyMs(), system: 400 * busyMs() }));
  for (; now <= over + waitsMs; now += 10) taken.look(now);
  return taken.cores;
}

test("a load says what it takes of the processors while it counts, however long it waits for answers afterwards", () => {
  for (const waitsMs of [0, 200, 3_000]) assert.equal(Math.round(coresSeen(waitsMs) * 1_000), 500);
});

test("what a load took in its first turn alone is not known", () => {
  const taken = new CoresTaken(settled, over, () => ({ user: 1, system: 1 }));
  taken.look(over + 1);
  assert.equal(taken.cores, 0);
});
