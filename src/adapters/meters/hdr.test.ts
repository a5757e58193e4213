import assert from "node:assert/strict";
import { test } from "node:test";
import { mergedHistogram, quantileMs } from "../../values/histogram.ts";
import { createMeters } from "./hdr.ts";

test("a meter counts answers by code, what was shed by reason, and every duration", () => {
  const meters = createMeters();
  const deposit = meters.operation("account", "deposit");
  assert.equal(meters.operation("account", "deposit"), deposit);
  deposit.answered("ok", 2);
  deposit.answered("ok", 4);
  deposit.answered("insufficientFunds", 1);
  deposit.shed("queue");
  deposit.started(0);
  deposit.handled(0.25);
  deposit.committed(8);
  const [figures, ...others] = meters.read();
  assert.deepEqual(others, []);
  assert.deepEqual(figures, {
    service: "account",
    operation: "deposit",
    answered: { ok: 2, insufficientFunds: 1 },
    shed: { queue: 1 },
    response: {
      counts: [
        [1_003, 1],
        [2_007, 1],
        [4_015, 1],
      ],
      sumUs: 7_000,
    },
    queueWait: { counts: [[0, 1]], sumUs: 0 },
    handler: { counts: [[250, 1]], sumUs: 250 },
    commitWait: { counts: [[8_031, 1]], sumUs: 8_000 },
  });
});

test("durations are right to a percent, from microseconds to minutes, and merged over nodes too", () => {
  const nodes = [createMeters(), createMeters()];
  const durationsMs = Array.from({ length: 10_000 }, (_, index) => 1.0018 ** index * 0.001);
  for (const [index, ms] of durationsMs.entries()) nodes[index % 2]!.operation("a", "b").handled(ms);
  const merged = mergedHistogram(nodes.map((meters) => meters.read()[0]!.handler));
  for (const q of [0.5, 0.9, 0.99, 0.999]) {
    const exact = durationsMs[Math.ceil(durationsMs.length * q) - 1]!;
    const told = quantileMs(merged, q)!;
    assert.ok(Math.abs(told / exact - 1) < 0.02, `${q}: ${told} ms for ${exact} ms`);
  }
});

test("what lasts longer than can be told counts as the longest, and the clock's jitter as nothing", () => {
  const meters = createMeters();
  meters.operation("a", "b").handled(1e9);
  meters.operation("a", "b").handled(-1);
  const { counts } = meters.read()[0]!.handler;
  assert.deepEqual(counts[0], [0, 1]);
  assert.ok(counts[1]![0] >= 600e6);
});
