import assert from "node:assert/strict";
import { test } from "node:test";
import { heapFlags } from "./node-heap.ts";

test("a node's heap has a bound, unless whoever starts its supervisor has set another one", () => {
  assert.match(heapFlags(undefined, []).join(" "), /^--max-old-space-size=\d+ --max-semi-space-size=\d+$/);
  assert.equal(heapFlags("--enable-source-maps", ["--conditions=synod-source"]).length, 2);
  for (const own of ["--max-old-space-size=4096", "--max_old_space_size=4096", "--max-heap-size=300"]) {
    assert.deepEqual(heapFlags(`--enable-source-maps ${own}`, []), [], own);
    assert.deepEqual(heapFlags(undefined, [own]), [], own);
  }
});
