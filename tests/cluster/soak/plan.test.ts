import assert from "node:assert/strict";
import { test } from "node:test";
import { kindsPerPeriodMax, type Period, periodsOf } from "./plan.ts";

const kinds = ["kill", "pause", "cut", "lock", "full"];

function first(count: number, seed: number): readonly Period[] {
  const periods = periodsOf(seed, kinds, 3);
  return Array.from({ length: count }, () => periods.next().value);
}

test("a seed decides the plan of a soak, and another seed another one", () => {
  assert.deepEqual(first(40, 7), first(40, 7));
  assert.notDeepEqual(first(40, 7), first(40, 8));
});

test("a quarter of the periods is quiet, and the others have each a few kinds, none twice", () => {
  const periods = first(40, 1);
  assert.equal(periods.filter(({ faults }) => faults.length === 0).length, 10);
  for (const { faults } of periods) {
    assert.ok(faults.length <= kindsPerPeriodMax);
    assert.equal(new Set(faults.map(({ kind }) => kind)).size, faults.length);
    for (const { victim, other } of faults) assert.ok(victim !== other && victim < 3 && other < 3);
  }
});

test("every kind strikes before any strikes for the third time", () => {
  const counts = new Map(kinds.map((kind) => [kind, 0]));
  for (const { faults } of first(40, 3)) {
    for (const { kind } of faults) counts.set(kind, counts.get(kind)! + 1);
    if (Math.max(...counts.values()) > 2) break;
  }
  assert.ok(Math.min(...counts.values()) > 0, JSON.stringify([...counts]));
});
