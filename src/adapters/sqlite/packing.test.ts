import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { SynodError } from "../../errors.ts";
import type { Read, ReadResult } from "../../ports/store.ts";
import { packBatch, unpackBatch } from "./packed-batches.ts";
import { packReadResults, packReads, unpackReadResults, unpackReads } from "./packed-reads.ts";

const text = fc.string({ unit: "binary" });
const shard = fc.record({ service: text, number: fc.nat() });
const record = fc.record({
  id: text,
  inputHash: text,
  reply: text,
  finishedAt: fc.option(fc.integer()),
  keyTime: fc.option(fc.integer()),
});
const call = { operation: text, input: fc.option(text) };
const origin = { principal: text, request: text, traceparent: fc.option(text) };
const item = fc.record({
  number: fc.nat(),
  key: text,
  ...call,
  id: text,
  inputHash: text,
  keyTime: fc.option(fc.integer()),
  call: fc.option(fc.record({ session: text, number: fc.nat() })),
  ...origin,
  acceptedAt: fc.integer(),
  attempts: fc.nat(),
  parked: fc.option(text),
  holdsTurn: fc.boolean(),
});
const entry = fc.record({ id: text, name: text, inputHash: text, outcome: fc.option(text) });
const message = fc.record({
  number: fc.nat(),
  key: text,
  service: text,
  target: fc.option(text),
  ...call,
  ...origin,
  sentAt: fc.integer(),
  attempts: fc.nat(),
  parked: fc.option(text),
});
const timer = fc.record({
  key: text,
  name: text,
  generation: fc.nat(),
  dueAt: fc.integer(),
  service: fc.option(text),
  target: fc.option(text),
  ...call,
  ...origin,
  attempts: fc.nat(),
});
const few = { maxLength: 2 };
const numbers = fc.array(fc.nat(), few);
const work = fc.record({
  accepted: fc.array(item, few),
  finished: numbers,
  sent: fc.array(message, few),
  timersSet: fc.array(timer, few),
  timersCleared: fc.array(text, few),
});
const journal = fc.array(entry, few);
const itemProgress = { number: fc.nat(), attempts: fc.nat(), parked: fc.option(text), holdsTurn: fc.boolean() };
const progress = fc.record({
  items: fc.array(fc.record({ ...itemProgress, journal }), few),
  itemsDropped: numbers,
  messages: fc.array(fc.record({ number: fc.nat(), attempts: fc.nat(), parked: fc.option(text) }), few),
  messagesSettled: numbers,
  timersCounted: fc.array(fc.record({ key: text, name: text, generation: fc.nat(), attempts: fc.nat() }), few),
  released: fc.array(fc.record({ key: text, name: text, generation: fc.nat(), message }), few),
});
const entity = fc.record({
  key: text,
  expectedVersion: fc.nat(),
  version: fc.nat(),
  stateVersion: fc.nat(),
  state: fc.option(text),
  records: fc.array(record, { maxLength: 3 }),
  work: fc.option(work),
});
const floor = fc.record({ session: text, floor: fc.nat(), open: fc.array(fc.nat(), { maxLength: 3 }) });
const changes = fc.record({
  shard,
  epoch: fc.nat(),
  entities: fc.array(entity, { maxLength: 4 }),
  floors: fc.array(floor),
  sessionNext: fc.option(fc.nat()),
  progress: fc.option(progress),
});
const batch = fc.record({ incarnation: fc.nat(), shards: fc.array(changes) });

/** Records from fast-check have no prototype, or another one; only what is in them counts. */
function plain<Value>(value: Value): Value {
  return structuredClone(value);
}

test("a batch comes out of its packing as it went in", () => {
  fc.assert(fc.property(batch, (each) => assert.deepEqual(unpackBatch(packBatch(each)), plain(each))));
});

const place = fc.record({ dueAt: fc.integer(), key: text, name: text });
const limit = fc.nat();

test("reads come out of their packing as they went in", () => {
  const read: fc.Arbitrary<Read> = fc.oneof(
    fc.record({ kind: fc.constant("entity" as const), shard, key: text }),
    fc.record({ kind: fc.constant("record" as const), shard, id: text }),
    fc.record({ kind: fc.constant("inboxOf" as const), shard, key: text, after: fc.nat(), limit }),
    fc.record({ kind: fc.constantFrom("inbox" as const, "outbox" as const), shard, after: fc.nat(), limit }),
    fc.record({ kind: fc.constant("timers" as const), shard, after: fc.option(place), limit }),
  );
  fc.assert(fc.property(fc.array(read), (each) => assert.deepEqual(unpackReads(packReads(each)), plain(each))));
});

/** Without damaged rows: their errors are no values, and have a test of their own. */
function page<Row, Place>(row: fc.Arbitrary<Row>, at: fc.Arbitrary<Place>) {
  return fc.record({ rows: fc.array(row, { maxLength: 3 }), damaged: fc.constant([]), next: fc.option(at) });
}

test("results come out of their packing as they went in, errors as errors of Synod", () => {
  const row = fc.record({ version: fc.nat(), stateVersion: fc.nat(), state: text });
  const journaled = fc.tuple(item, journal).map(([each, entries]) => ({ ...each, journal: entries }));
  const result: fc.Arbitrary<ReadResult> = fc.oneof(
    fc.record({ kind: fc.constant("entity" as const), row: fc.option(row) }),
    fc.record({ kind: fc.constant("record" as const), record: fc.option(record) }),
    fc.record({ kind: fc.constant("inboxOf" as const), page: page(journaled, fc.nat()) }),
    fc.record({ kind: fc.constant("inbox" as const), page: page(item, fc.nat()) }),
    fc.record({ kind: fc.constant("outbox" as const), page: page(message, fc.nat()) }),
    fc.record({ kind: fc.constant("timers" as const), page: page(timer, place) }),
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
  const { error: back } = unpacked;
  const facts = { code: back.code, message: back.message, outcome: back.outcome, retryable: back.retryable };
  assert.deepEqual(facts, { code: "data_loss", message: "gone", outcome: "unknown", retryable: true });
});

test("damaged rows of a page come out of the packing with their places and errors", () => {
  const error = new SynodError("data_loss", "gone", { outcome: "unknown" });
  const at = { dueAt: 7, key: "k", name: "n" };
  const [timers, items] = [
    { kind: "timers", page: { rows: [], damaged: [{ at, error }], next: at } } as const,
    { kind: "inbox", page: { rows: [], damaged: [{ at: 3, error }], next: null } } as const,
  ];
  const next = unpackReadResults(packReadResults([timers, items]));
  assert.deepEqual(next(), timers);
  assert.deepEqual(next(), items);
});
