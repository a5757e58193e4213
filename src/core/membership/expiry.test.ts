import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Expiry } from "./expiry.ts";

const options = { leaseTtlMs: 2_000, leaseMarginMs: 200 };
const heartbeatMs = 500;
const own = 1;

/** One heartbeat that was sent at `sentAt` and took `tookMs`; it brought these counters. */
function observe(expiry: Expiry, sentAt: number, tookMs: number, ...renewals: [number, number][]): void {
  expiry.observe({ sentAt, answeredAt: sentAt + tookMs, renewals: new Map([[own, sentAt], ...renewals]) });
}

test("a counter that stands still for TTL and margin is expired, at that counter, and not before", () => {
  const expiry = new Expiry(own, options);
  for (const sentAt of [0, 500, 1_000, 1_500, 2_000]) observe(expiry, sentAt, 0, [2, 7]);
  assert.deepEqual(expiry.expired(), []);
  assert.equal(expiry.remainingMs(2), 200);
  observe(expiry, 2_199, 0, [2, 7]);
  assert.deepEqual(expiry.expired(), []);
  observe(expiry, 2_200, 0, [2, 7]);
  assert.deepEqual(expiry.expired(), [{ incarnation: 2, renewals: 7 }]);
});

test("a counter that moves starts the watch again, and shows that its owner lives", () => {
  const expiry = new Expiry(own, options);
  for (const sentAt of [0, 1_000, 2_000]) observe(expiry, sentAt, 0, [2, 7]);
  assert.equal(expiry.hasRenewed(2), false, "it may have crashed before it was first seen");
  observe(expiry, 2_199, 0, [2, 8]);
  assert.equal(expiry.hasRenewed(2), true);
  assert.equal(expiry.remainingMs(2), 2_200);
  for (const sentAt of [3_000, 4_000]) observe(expiry, sentAt, 0, [2, 8]);
  assert.deepEqual(expiry.expired(), []);
  assert.equal(expiry.hasRenewed(2), true);
});

test("only the time between an answer and the next sending counts", () => {
  const expiry = new Expiry(own, options);
  for (const sentAt of [0, 1_000, 2_000, 3_000]) observe(expiry, sentAt, 400, [2, 7]);
  assert.equal(expiry.remainingMs(2), 2_200 - 3 * 600);
});

test("a gap of a whole TTL says nothing: this node could not write itself", () => {
  const expiry = new Expiry(own, options);
  observe(expiry, 0, 0, [2, 7]);
  observe(expiry, 2_000, 0, [2, 7]);
  assert.equal(expiry.remainingMs(2), 2_200);
  observe(expiry, 3_999, 0, [2, 7]);
  assert.equal(expiry.remainingMs(2), 201);
});

test("the own lease is never expired, and a member that has gone is forgotten", () => {
  const expiry = new Expiry(own, options);
  for (const sentAt of [0, 1_000, 2_000, 3_000]) observe(expiry, sentAt, 0, [2, 7], [own, 5]);
  assert.deepEqual(expiry.expired(), [{ incarnation: 2, renewals: 7 }]);
  observe(expiry, 3_500, 0);
  assert.deepEqual(expiry.expired(), []);
  assert.equal(expiry.hasRenewed(2), false);
});

test("looks that follow each other without a pause see a lease run out all the same", () => {
  const expiry = new Expiry(own, options);
  let now = 0;
  for (; expiry.expired().length === 0 && now < 10_000; now += 10.1) observe(expiry, now, 10, [2, 7]);
  assert.ok(now > options.leaseTtlMs + options.leaseMarginMs && now < 2_300, `it took ${now} ms`);
});

test("whoever looks again when the first lease may run out finds it expired, and not before", () => {
  const expiry = new Expiry(own, options);
  assert.equal(expiry.soonestMs, Number.POSITIVE_INFINITY);
  for (const now of [0, 500, 1_000, 1_500, 2_000]) observe(expiry, now, 0, [2, 7]);
  assert.equal(expiry.soonestMs, 200);
  assert.deepEqual(expiry.expired(), []);
  observe(expiry, 2_200, 0, [2, 7]);
  assert.deepEqual(expiry.expired(), [{ incarnation: 2, renewals: 7 }]);
  assert.ok(expiry.soonestMs <= 0);
});

test("the lease of a member that died is expired within TTL, margin and two heartbeats", () => {
  const heartbeat = fc.record({ waits: fc.integer({ min: heartbeatMs, max: heartbeatMs + 20 }), took: fc.nat(10) });
  fc.assert(
    fc.property(fc.array(heartbeat, { minLength: 12, maxLength: 12 }), (heartbeats) => {
      const expiry = new Expiry(own, options);
      let now = 0;
      for (const { waits, took } of heartbeats) {
        observe(expiry, now, took, [2, 7]);
        if (expiry.expired().length > 0) break;
        now += took + waits;
      }
      assert.deepEqual(expiry.expired(), [{ incarnation: 2, renewals: 7 }]);
      assert.ok(now <= options.leaseTtlMs + options.leaseMarginMs + 2 * heartbeatMs, `it took ${now} ms`);
    }),
  );
});
