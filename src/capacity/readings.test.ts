/** What happened between two readings, also when a node did not live through it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { emptyHistogram } from "../values/histogram.ts";
import { disturbance } from "./finder.ts";
import { bottleneckOf, type Consumption, consumptionBetween, type NodeReading, othersCores } from "./readings.ts";

const loadCores = 0.5;

function reading(node: string, cpuSeconds: number, networkBytes: number): NodeReading {
  const waits = { queueWait: emptyHistogram, handler: emptyHistogram, commitWait: emptyHistogram, linkQueueWaitMs: 0 };
  return { node, cpuSeconds, networkBytes, eventLoopUtilization: 0.5, ...waits };
}

/** Ten seconds in which 1.8 processors were busy. */
function between(before: readonly NodeReading[], after: readonly NodeReading[]): Consumption {
  return consumptionBetween(
    { at: 0, nodes: before, machineBusySeconds: 100, ownSeconds: 1 },
    { at: 10_000, nodes: after, machineBusySeconds: 118, ownSeconds: 2 },
  );
}

/** Whether a load that failed meanwhile is thrown away. */
function isThrownAway(consumption: Consumption): boolean {
  const others = othersCores(consumption, loadCores, true);
  return disturbance({ ...consumption, machineCoresMax: 2 }, others) !== undefined;
}

test("a node consumed what it counts more than before", () => {
  const consumption = between([reading("a", 500, 1_000)], [reading("a", 502, 51_000)]);
  assert.equal(consumption.nodesChanged, false);
  assert.deepEqual(consumption.nodes, [
    { node: "a", cores: 0.2, eventLoopUtilization: 0.5, networkBytesPerSecond: 5_000 },
  ]);
  assert.ok(isThrownAway(consumption), "others had a whole processor");
});

test("a node that starts again under its id has consumed what its new process says, and its failure is not others'", () => {
  const consumption = between([reading("a", 500, 90_000)], [reading("a", 2, 10_000)]);
  assert.equal(consumption.nodesChanged, true);
  const [node] = consumption.nodes;
  assert.deepEqual([node?.cores, node?.networkBytesPerSecond], [0.2, 1_000]);
  assert.equal(othersCores(consumption, loadCores, true), undefined);
  assert.ok(!isThrownAway(consumption));
});

test("a load that fails while a node ends or comes stays failed, and no program is blamed for what it used", () => {
  const [a, b] = [reading("a", 500, 0), reading("b", 500, 0)];
  const later = reading("a", 502, 0);
  for (const consumption of [
    between([a, b], [later]),
    between([a], [later, b]),
    between([a, b], [later, reading("c", 1, 0)]),
  ]) {
    assert.equal(consumption.nodesChanged, true);
    assert.ok(!isThrownAway(consumption));
    assert.doesNotMatch(bottleneckOf({ ...consumption, machineCoresMax: 2 }, loadCores, 2).words, /other programs/);
  }
});
