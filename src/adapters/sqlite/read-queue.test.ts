import assert from "node:assert/strict";
import test from "node:test";
import type { Read, ReadResult } from "../../ports/store.ts";
import { type PackedReads, packReadResults, unpackReads } from "./packed-reads.ts";
import { readQueueOf } from "./read-queue.ts";

const shard = { service: "account", number: 0 };

function entity(key: string): Read {
  return { kind: "entity", shard, key };
}

/** A reading thread that answers each key with its length, when it is told to. */
function readerOf() {
  const batches: Read[][] = [];
  const answers: (() => void)[] = [];
  const ask = async (packed: PackedReads) => {
    const reads = unpackReads(packed);
    batches.push(reads);
    await new Promise<void>((resolve) => answers.push(resolve));
    const results = reads.map((read): ReadResult => {
      assert.ok(read.kind === "entity");
      return { kind: "entity", row: { version: read.key.length, stateVersion: 1, state: read.key } };
    });
    return packReadResults(results);
  };
  return { ask, batches, answers };
}

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
}

test("the reads of one turn are one batch, and what comes meanwhile is the next", async () => {
  const { ask, batches, answers } = readerOf();
  const { read, drained } = readQueueOf(ask);
  const first = [read([entity("a")]), read([entity("bb"), entity("ccc")]), read([])];
  await turn();
  const second = [read([entity("dddd")]), read([entity("e")])];
  await turn();
  assert.equal(batches.length, 1);
  answers.shift()?.();
  const states = (await Promise.all(first)).map((results) => {
    return results.map((result) => (result.kind === "entity" ? result.row?.state : undefined));
  });
  assert.deepEqual(states, [["a"], ["bb", "ccc"], []]);
  await turn();
  answers.shift()?.();
  await Promise.all(second);
  await drained();
  assert.deepEqual(
    batches.map((batch) => batch.length),
    [3, 2],
  );
});

test("a thousand reads go together, and a request is never divided", async () => {
  const { ask, batches, answers } = readerOf();
  const { read, drained } = readQueueOf(ask);
  const lengths = [600, 300, 200, 1_500, 1];
  const asked = lengths.map((length) => read(Array.from({ length }, () => entity("a"))));
  const pump = setInterval(() => answers.shift()?.(), 1);
  const answered = await Promise.all(asked);
  await drained();
  clearInterval(pump);
  assert.deepEqual(
    answered.map((results) => results.length),
    lengths,
  );
  assert.deepEqual(
    batches.map((batch) => batch.length),
    [900, 200, 1_500, 1],
  );
});

test("a batch that fails fails those who asked for it, and nobody after them", async () => {
  let fails = true;
  const { read } = readQueueOf(async (packed) => {
    if (fails) throw new Error("no disk");
    return packReadResults(unpackReads(packed).map(() => ({ kind: "entity", row: null })));
  });
  const results = await Promise.allSettled([read([entity("a")]), read([entity("b")])]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ["rejected", "rejected"],
  );
  fails = false;
  assert.deepEqual(await read([entity("c")]), [{ kind: "entity", row: null }]);
});
