/** What several authors said of a shard, as the one list that a commit carries. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ItemProgress, JournalEntry, MessageProgress } from "../../ports/work.ts";
import { mergedProgress } from "./work.ts";

const entry = (id: string, outcome: string | null = null): JournalEntry => ({ id, name: "n", inputHash: "", outcome });
const item = (number: number, attempts: number, journal: readonly JournalEntry[] = []): ItemProgress => {
  return { number, attempts, parked: null, holdsTurn: false, journal };
};
const message = (number: number, attempts: number): MessageProgress => ({ number, attempts, parked: null });

test("nothing said is no progress, and what one author said is all there is", () => {
  assert.equal(mergedProgress([]), null);
  const said = mergedProgress([{ items: [item(1, 1)] }]);
  const none = { itemsDropped: [], messages: [], messagesSettled: [], timersCounted: [], released: [] };
  assert.deepEqual(said, { ...none, items: [item(1, 1)] });
});

test("of each thing the last word counts, where the first one stood, and journals grow", () => {
  const said = mergedProgress([
    { items: [item(1, 1, [entry("a")])], messages: [message(5, 1)] },
    { items: [item(2, 1)] },
    { items: [item(1, 2, [entry("a", "1"), entry("b")])], messages: [message(5, 2)] },
  ]);
  assert.deepEqual(said?.items, [item(1, 2, [entry("a", "1"), entry("b")]), item(2, 1)]);
  assert.deepEqual(said?.messages, [message(5, 2)]);
});

test("of what goes nothing else is said, whoever said it first, and it goes once", () => {
  const said = mergedProgress([
    { itemsDropped: [1], messagesSettled: [5] },
    { items: [item(1, 2), item(2, 1)], messages: [message(5, 2), message(6, 1)] },
    { itemsDropped: [1], messagesSettled: [5] },
  ]);
  assert.deepEqual([said?.items, said?.itemsDropped], [[item(2, 1)], [1]]);
  assert.deepEqual([said?.messages, said?.messagesSettled], [[message(6, 1)], [5]]);
});
