/** When a shard has floors of sessions written: what is written too often costs more than commands do. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { implement } from "../service/implement.ts";
import { command, defineInterface } from "../service/interface.ts";
import { sessionRecordId } from "../values/ids.ts";
import { Shard } from "./shard.ts";

const recordsPerFloorMax = 32;

function ownedShard(): Shard {
  const Stock = defineInterface("stock", { key: z.string(), operations: { take: command() } });
  const service = implement(Stock, { state: { version: 1, initial: () => ({}) }, operations: { take: () => {} } });
  const shard = new Shard({ service: "stock", number: 1 }, service, { shardOpenLengthMax: 64, recordsPerFloorMax });
  shard.own({ shard: shard.id, epoch: 1, stateVersion: 0, watermark: 0, floors: [], sessionNext: 1 });
  return shard;
}

/** One call of each session after the other is executed and recorded, each with a floor; the floors that are written. */
function floorsAfter(shard: Shard, sessions: readonly string[], calls: number): number[] {
  return Array.from({ length: calls }, (_, index) => {
    const session = sessions[index % sessions.length]!;
    const number = 1 + Math.floor(index / sessions.length);
    const id = sessionRecordId(session, number);
    const call = { session, number };
    assert.equal(
      shard.mayExecute({ hash: id, inputHash: "", keyTime: null, call, floor: { floor: number, open: [] } }),
      true,
    );
    return shard.floorsWith({ id, inputHash: "", reply: "{}", finishedAt: null, keyTime: null }).length;
  });
}

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);

test("the first floor of a node's session is written at once, and the next with the 32nd record", () => {
  const written = floorsAfter(ownedShard(), ["n7"], 64);
  assert.deepEqual(
    written.flatMap((count, index) => (count > 0 ? [index + 1] : [])),
    [1, 32, 64],
  );
});

test("the first floor of a shard's session, which never ends, waits with the others", () => {
  const written = floorsAfter(ownedShard(), ["saga/3"], 33);
  assert.deepEqual([written[0], written[31], sum(written)], [0, 1, 1]);
});

test("floors of 64 sessions are written when there are eight records for each, and all of them", () => {
  const sessions = Array.from({ length: 64 }, (_, number) => `saga/${number}`);
  const written = floorsAfter(ownedShard(), sessions, 1_024);
  assert.deepEqual(
    written.flatMap((count, index) => (count > 0 ? [[index + 1, count]] : [])),
    [
      [512, 64],
      [1_024, 64],
    ],
  );
});

test("a record that goes with time takes the floor along that settles its number, also one that was written before", () => {
  const shard = ownedShard();
  floorsAfter(shard, ["saga/3"], 40);
  const record = { id: sessionRecordId("saga/3", 7), inputHash: "", reply: "{}", finishedAt: 1_000, keyTime: null };
  for (let time = 0; time < 2; time++) {
    shard.noteRecord(record);
    assert.deepEqual(shard.floorsWith(record), [{ session: "saga/3", floor: 40, open: [] }]);
    assert.deepEqual(shard.floorsWith(null), []);
  }
});

test("floors that went with a change that was not written are written again: those of nodes at once", () => {
  const shard = ownedShard();
  assert.equal(sum(floorsAfter(shard, ["n7", "n8", "saga/3"], 3)), 2);
  shard.endSessions(["n8"]);
  shard.floorsLost();
  assert.deepEqual(shard.floorsWith(null), [{ session: "n7", floor: 1, open: [] }]);
  assert.deepEqual(shard.floorsWith(null), []);
});
