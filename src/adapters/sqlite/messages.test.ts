import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { SynodError } from "../../errors.ts";
import type { ReadResult } from "../../ports/store.ts";
import { packBatch, packReadResults, packReads, unpackBatch, unpackReadResults, unpackReads } from "./messages.ts";

const text = fc.string({ unit: "binary" });
const shard = fc.record({ service: text, number: fc.nat() });
const record = fc.record({
  id: text,
  inputHash: text,
  reply: text,
  finishedAt: fc.option(fc.integer()),
  keyTime: fc.option(fc.integer()),
});
const entity = fc.record({
  key: text,
  expectedVersion: fc.nat(),
  version: fc.nat(),
  stateVersion: fc.nat(),
  state: fc.option(text),
  records: fc.array(record, { maxLength: 3 }),
});
const floor = fc.record({ session: text, floor: fc.nat(), open: fc.array(fc.nat(), { maxLength: 3 }) });
const changes = fc.record({ shard, epoch: fc.nat(), entities: fc.array(entity), floors: fc.array(floor) });
const batch = fc.record({ incarnation: fc.nat(), shards: fc.array(changes) });

/** Records from fast-check have no prototype, or another one; only what is in them counts. */
function plain<Value>(value: Value): Value {
  return structuredClone(value);
}

test("a batch comes out of its packing as it went in", () => {
  fc.assert(fc.property(batch, (each) => assert.deepEqual(unpackBatch(packBatch(each)), plain(each))));
});

test("reads come out of their packing as they went in", () => {
  const read = fc.oneof(
    fc.record({ kind: fc.constant("entity" as const), shard, key: text }),
    fc.record({ kind: fc.constant("record" as const), shard, id: text }),
  );
  fc.assert(fc.property(fc.array(read), (each) => assert.deepEqual(unpackReads(packReads(each)), plain(each))));
});

test("results come out of their packing as they went in, errors as errors of Synod", () => {
  const row = fc.record({ version: fc.nat(), stateVersion: fc.nat(), state: text });
  const result: fc.Arbitrary<ReadResult> = fc.oneof(
    fc.record({ kind: fc.constant("entity" as const), row: fc.option(row) }),
    fc.record({ kind: fc.constant("record" as const), record: fc.option(record) }),
  );
  fc.assert(
    fc.property(fc.array(result), (each) => {
      const next = unpackReadResults(packReadResults(each));
      assert.deepEqual(each.map(next), plain(each));
    }),
  );
  const error = new SynodError("data_loss", "gone", { outcome: "unknown", retryable: true });
  const [unpacked] = [unpackReadResults(packReadResults([{ kind: "corrupt", error }]))()];
  assert.ok(unpacked.kind === "corrupt" && unpacked.error instanceof SynodError);
  const { code, message, outcome, retryable } = unpacked.error;
  assert.deepEqual(
    { code, message, outcome, retryable },
    { code: "data_loss", message: "gone", outcome: "unknown", retryable: true },
  );
});
