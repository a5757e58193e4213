import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../ports/clock.ts";
import type { PageRead, Read, ReadResult, Store } from "../ports/store.ts";
import { Reader } from "./reader.ts";

/** A store that answers a call when it is told to. */
class SlowStore {
  readonly calls: { readonly reads: readonly Read[]; readonly answer: () => void }[] = [];

  read(reads: readonly Read[]): Promise<readonly ReadResult[]> {
    const results = reads.map((): ReadResult => ({ kind: "entity", row: null }));
    return new Promise((resolve) => this.calls.push({ reads, answer: () => resolve(results) }));
  }
}

const page = (number: number, limit: number): PageRead => {
  return { kind: "outbox", shard: { service: "box", number }, after: 0, limit };
};

test("a backlog is read in parts of a bounded size, one at a time, and an entity does not wait for any of them", async () => {
  const store = new SlowStore();
  const clock = { soon: (act: () => void) => setImmediate(act) } as Pick<Clock, "soon"> as Clock;
  const reader = new Reader(store as Partial<Store> as Store, clock);
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const pages = Array.from({ length: 10 }, (_, number) => reader.readBacklog(page(number, 250)));
  await turn();
  await turn();
  assert.deepEqual(
    store.calls.map(({ reads }) => reads.length),
    [4],
    "1,024 rows at the most",
  );
  const entity = reader.read({ kind: "entity", shard: { service: "box", number: 1 }, key: "a" });
  await turn();
  await turn();
  assert.deepEqual(
    store.calls.map(({ reads }) => reads.length),
    [4, 1],
  );
  store.calls[1]!.answer();
  assert.equal((await entity).kind, "entity");
  const huge = reader.readBacklog(page(11, 5_000));
  for (const expected of [4, 4, 2, 1]) {
    const call = store.calls.findLast(({ reads }) => reads[0]!.kind === "outbox")!;
    assert.equal(call.reads.length, expected);
    call.answer();
    await turn();
    await turn();
  }
  await Promise.all([...pages, huge]);
});
