import assert from "node:assert/strict";
import { test } from "node:test";
import { join, shardRow } from "../../adapters/memory/membership.ts";
import { createMemoryDatabase } from "../../adapters/memory/store.ts";
import type { EntityChange, SessionFloor } from "../../ports/store.ts";
import type { InboxItem } from "../../ports/work.ts";
import { derivedRecordId, sessionRecordId } from "../../values/ids.ts";
import { settledCallsIn } from "./settled-calls.ts";

const shard = { service: "box", number: 0 };
const session = "post/0";
const stored: SessionFloor = { session, floor: 8, open: [5] };

/** What is wrong with a change of one entity, in a shard whose store has that floor. */
function wrongWith(change: Partial<Pick<EntityChange, "records" | "work">>, floors: readonly SessionFloor[] = []) {
  const database = createMemoryDatabase({ system: "test", shardsPerService: 1 });
  join(database, { node: "node-1", address: null, hosts: [{ service: shard.service, stateVersion: 1 }] });
  shardRow(database, shard)!.floors.set(session, { ...stored, open: [...stored.open] });
  const entity = { key: "b", expectedVersion: 1, version: 2, stateVersion: 1, state: "{}", records: [], work: null };
  const changes = { shard, epoch: 1, entities: [{ ...entity, ...change }], floors, sessionNext: null, progress: null };
  return settledCallsIn(database, { incarnation: 1, shards: [changes] });
}

const record = (id: string, finishedAt: number | null = null) => ({
  records: [{ id, inputHash: "", reply: "{}", finishedAt, keyTime: null }],
});
const acceptance = (number: number) => ({
  work: {
    accepted: [{ call: { session, number } } as InboxItem],
    finished: [],
    sent: [],
    timersSet: [],
    timersCleared: [],
  },
});

test("a call that takes effect, or is accepted, below a stored floor is found, and one that the floor leaves open is not", () => {
  assert.equal(wrongWith(record(sessionRecordId(session, 7))).length, 1);
  assert.equal(wrongWith(record(derivedRecordId(session, 7, "hash"))).length, 1);
  assert.equal(wrongWith(acceptance(7)).length, 1);
  for (const number of [5, 8]) {
    assert.deepEqual(wrongWith(record(sessionRecordId(session, number))), []);
    assert.deepEqual(wrongWith(acceptance(number)), []);
  }
});

test("the outcome of what was accepted may go with time once a stored floor settles it, and not before", () => {
  const late = (number: number) => record(sessionRecordId(session, number), 1_000);
  assert.deepEqual(wrongWith(late(7)), []);
  assert.equal(wrongWith(late(9)).length, 1);
  assert.equal(wrongWith(late(5)).length, 1);
  assert.deepEqual(wrongWith(late(9), [{ session, floor: 10, open: [] }]), [], "with the floor in the same commit");
  assert.deepEqual(
    wrongWith(record(`outcome/${sessionRecordId("n1", 9)}`, 1_000)),
    [],
    "a gateway's, as an opaque key's",
  );
});
