import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Instant, Lease } from "./lease.ts";

const options = { leaseTtlMs: 2_000, leaseMarginMs: 200 };
const at = (monotonic: number, wall = 1_000_000 + monotonic): Instant => ({ monotonic, wall });

test("a node that never renewed has no lease", () => {
  const lease = new Lease(options);
  assert.equal(lease.validAt(at(0)), false);
  assert.equal(lease.remainingMs(at(0)), 0);
});

test("a lease runs from the sending of the renewal, and ends a margin before its time", () => {
  const lease = new Lease(options);
  lease.renewed(at(100));
  assert.equal(lease.remainingMs(at(600)), 1_300);
  assert.equal(lease.validAt(at(1_899)), true);
  assert.equal(lease.validAt(at(1_900)), false);
});

test("either clock ends a lease: the monotonic one stands still while a machine is suspended", () => {
  const lease = new Lease(options);
  lease.renewed(at(100, 1_000_000));
  assert.equal(lease.validAt(at(150, 1_001_800)), false, "the wall clock saw the suspension");
  assert.equal(lease.validAt(at(1_900, 999_000)), false, "a wall clock that was set back buys nothing");
  assert.equal(lease.validAt(at(1_899, 999_000)), true);
});

test("confirmations may arrive in any order: the latest sending counts", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(10_000), { minLength: 1 }), (sendings) => {
      const lease = new Lease(options);
      for (const sentAt of sendings) lease.renewed(at(sentAt));
      assert.equal(lease.remainingMs(at(10_000)), Math.max(...sendings) + 1_800 - 10_000);
    }),
  );
});

test("a renewal after a suspension counts, although the monotonic clock stood still since the last one", () => {
  const lease = new Lease(options);
  lease.renewed(at(100, 1_000_000));
  lease.renewed(at(100, 1_008_000));
  assert.equal(lease.validAt(at(150, 1_008_050)), true);
  lease.renewed(at(100, 1_000_000));
  assert.equal(lease.validAt(at(150, 1_008_050)), true, "a late confirmation");
});

test("an ended lease does not come back by a renewal that was sent before: only by joining again", () => {
  const lease = new Lease(options);
  lease.renewed(at(100));
  lease.ended(at(500));
  assert.equal(lease.validAt(at(500)), false);
  lease.renewed(at(400));
  assert.equal(lease.validAt(at(501)), false, "a late confirmation");
  lease.renewed(at(600));
  assert.equal(lease.validAt(at(700)), true, "a new incarnation");
});
