/** What is promised of which series. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { keys, probes } from "../../availability/report.ts";
import { objectiveOf } from "./meter.ts";

test("a service has its own objective, whatever it is called, and the times of keys have none", () => {
  const targets = { objective: 0.999, services: { keys: 0.9, probes: 0.8 } };
  const found = [probes, keys, "requests/keys", "requests/probes", "requests/other"].map((series) =>
    objectiveOf(targets, series),
  );
  assert.deepEqual(found, [0.999, undefined, 0.9, 0.8, undefined]);
});
