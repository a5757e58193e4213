import assert from "node:assert/strict";
import test from "node:test";
import { systemClock } from "./clock.ts";
import { systemRandom } from "./random.ts";

const timer = (delayMs: number): Promise<void> => new Promise((resolve) => systemClock.setTimer(delayMs, resolve));

test("the monotonic clock does not go back, and the wall clock shows the time of the day", () => {
  let before = systemClock.monotonic();
  for (let reading = 0; reading < 1_000; reading++) {
    const now = systemClock.monotonic();
    assert.ok(now >= before);
    before = now;
  }
  assert.ok(Math.abs(systemClock.wall() - Date.now()) < 1_000);
});

test("a timer never fires early by the monotonic clock", async () => {
  for (const delayMs of [0, 0.4, 1, 3.7, 12]) {
    const start = systemClock.monotonic();
    await timer(delayMs);
    assert.ok(systemClock.monotonic() - start >= delayMs);
  }
});

test("a cancelled timer does not fire, and cancelling twice is harmless", async () => {
  let fired = false;
  const cancelled = systemClock.setTimer(1, () => {
    fired = true;
  });
  cancelled.cancel();
  cancelled.cancel();
  await timer(10);
  assert.equal(fired, false);
});

test("a timer of more than 24.8 days does not fire at once", async () => {
  let fired = false;
  const far = systemClock.setTimer(2 ** 32, () => {
    fired = true;
  });
  await timer(10);
  far.cancel();
  assert.equal(fired, false);
});

test("soon is later than every event that is already due", async () => {
  const order: string[] = [];
  const soon = new Promise<void>((resolve) => {
    systemClock.soon(() => {
      order.push("soon");
      resolve();
    });
  });
  queueMicrotask(() => order.push("microtask"));
  process.nextTick(() => order.push("tick"));
  order.push("now");
  await soon;
  assert.deepEqual(order.at(0), "now");
  assert.deepEqual(order.at(-1), "soon");
  assert.equal(order.length, 4);
});

test("random bytes are as many as asked for and never the same; random numbers lie in [0, 1)", () => {
  const bytes = systemRandom.bytes(32);
  assert.equal(bytes.length, 32);
  assert.equal(bytes.buffer.byteLength, 32);
  assert.notDeepEqual(bytes, systemRandom.bytes(32));
  for (let draw = 0; draw < 1_000; draw++) {
    const number = systemRandom.number();
    assert.ok(number >= 0 && number < 1);
  }
});
