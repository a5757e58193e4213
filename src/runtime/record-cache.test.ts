import assert from "node:assert/strict";
import { test } from "node:test";
import type { CallRecord } from "../ports/store.ts";
import { RecordCache } from "./record-cache.ts";

const record = (id: string): CallRecord => ({ id, inputHash: "", reply: "{}", finishedAt: null, keyTime: null });

test("a full cache forgets the oldest record for each new one, and keeps what comes again", () => {
  const cache = new RecordCache(3);
  for (const id of ["a", "b", "c", "b", "d"]) cache.add(id, record(id));
  const kept = (): string[] => ["a", "b", "c", "d", "e", "f"].filter((id) => cache.get(id) !== undefined);
  assert.deepEqual(kept(), ["b", "c", "d"]);
  cache.add("e", record("e"));
  assert.deepEqual(kept(), ["c", "d", "e"]);
  cache.clear();
  assert.deepEqual(kept(), []);
  for (const id of ["a", "b", "c", "d"]) cache.add(id, record(id));
  assert.deepEqual(kept(), ["b", "c", "d"], "it starts anew");
  assert.equal(cache.get("b")?.id, "b");
});
