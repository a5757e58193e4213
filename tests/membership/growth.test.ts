/** Membership in a system that grows; `npm run test:membership` does the same with 1,000 nodes, and measures time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { measureMembership } from "./growth.ts";

/** Heartbeats in a second: four in a TTL of 2 s. */
const heartbeatsPerSecond = 2;

test("a node asks the store as often among 40 as among 4, so that the store's load grows by as much as the system", async () => {
  for (const nodes of [4, 40]) {
    const { storeRequestsPerSecond } = await measureMembership(nodes);
    assert.equal(storeRequestsPerSecond, heartbeatsPerSecond * nodes);
  }
});
