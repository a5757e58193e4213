import assert from "node:assert/strict";
import test from "node:test";
import { walBytesMax } from "./checkpoints.ts";
import { logReportOf } from "./log-report.ts";

test("a log that cannot be shortened is warned of once for each reason, until it could be", () => {
  const warnings: string[] = [];
  const ignore = () => {};
  const log = { debug: ignore, info: ignore, error: ignore, warn: (message: string) => void warnings.push(message) };
  const wal = logReportOf(log, "bank.db");
  const full = "database or disk is full";
  for (const [walBytes, trouble] of [
    [1_000, undefined],
    [1_000, full],
    [1_000, full],
    [walBytesMax / 2, undefined],
    [walBytesMax, undefined],
    [1_000, undefined],
    [1_000, full],
  ] as const) {
    wal.report({ walBytes, trouble });
    assert.equal(wal.bytes, walBytes);
  }
  const sentence = "the write-ahead log of bank.db cannot be shortened";
  assert.deepEqual(warnings, [
    `${sentence}: ${full}`,
    `${sentence}: another program has been reading it for long`,
    `${sentence}: ${full}`,
  ]);
});
