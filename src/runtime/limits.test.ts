import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultLoadLimits } from "../core/load/limits.ts";
import { LoadControl } from "../core/load/load.ts";
import type { WaitingCall } from "../core/load/queue.ts";
import { ranks } from "../values/priority.ts";
import { withoutLoadControl } from "./limits.ts";

test("without load control nobody is turned away before his deadline, however long the queue", () => {
  const load = new LoadControl<WaitingCall>({ ...defaultLoadLimits, ...withoutLoadControl.load });
  const call = (leftMs: number): WaitingCall => ({
    ...{ rank: ranks.normal, caller: "a", deadline: leftMs, queuedAt: 0, waiting: true },
  });
  // They take turns with something else, so that they wait although there are slots.
  load.hold();
  for (let index = 0; index < 10_000; index++) assert.equal(load.arrive(call(100), 0).kind, "wait");
  assert.equal(load.refusal(ranks.normal, "a", 1, 0), null, "a millisecond is left, and seconds are to be waited for");
  load.turn(0, 0);
  assert.equal(load.next(99.999)?.kind, "start", "a moment is left");
  assert.deepEqual(load.next(101)?.kind, "shed", "nobody waits any more");
});
