import assert from "node:assert/strict";
import { test } from "node:test";
import type { ShardChanges } from "../../ports/store.ts";
import { StateVersions } from "./state-versions.ts";

const shard = { service: "account", number: 7 };

function changes(
  epoch: number,
  ...states: readonly (readonly [stateVersion: number, state: string | null])[]
): ShardChanges {
  const entities = states.map(([stateVersion, state], index) => {
    return { key: `key-${index}`, expectedVersion: 1, version: 2, stateVersion, state, records: [], work: null };
  });
  return { shard, epoch, sessionNext: null, entities, progress: null, floors: [] };
}

test("a state version is said until the shard is known to have it, and again when it is higher", () => {
  const versions = new StateVersions();
  const first = versions.raisedBy(changes(1, [1, "{}"], [2, "{}"]));
  assert.deepEqual(first, { shard, epoch: 1, stateVersion: 2 });
  assert.deepEqual(versions.raisedBy(changes(1, [2, "{}"])), first);
  versions.note(first);
  assert.equal(versions.raisedBy(changes(1, [2, "{}"])), null);
  assert.equal(versions.raisedBy(changes(1, [1, "{}"])), null);
  assert.equal(versions.raisedBy(changes(1, [3, "{}"]))?.stateVersion, 3);
});

test("what was known under one epoch is said again under another: a restore may have lowered it", () => {
  const versions = new StateVersions();
  versions.note({ shard, epoch: 1, stateVersion: 2 });
  assert.equal(versions.raisedBy(changes(2, [2, "{}"]))?.stateVersion, 2);
  assert.equal(versions.raisedBy({ ...changes(1, [2, "{}"]), shard: { ...shard, number: 8 } })?.stateVersion, 2);
});

test("a row that goes away has no state version", () => {
  const versions = new StateVersions();
  versions.note({ shard, epoch: 1, stateVersion: 1 });
  assert.equal(versions.raisedBy(changes(1, [5, null], [1, "{}"])), null);
});
