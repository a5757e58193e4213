import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { heapFlags } from "./node-heap.ts";

test("a node's heap has a bound, unless whoever starts its supervisor has set another one", () => {
  const flags = /^--max-old-space-size=\d+ --max-semi-space-size=\d+ --initial-old-space-size=\d+$/;
  assert.match(heapFlags(undefined, []).join(" "), flags);
  assert.equal(heapFlags("--enable-source-maps", ["--conditions=synod-source"]).length, 3);
  for (const own of ["--max-old-space-size=4096", "--max_old_space_size=4096", "--max-heap-size=300"]) {
    assert.deepEqual(heapFlags(`--enable-source-maps ${own}`, []), [], own);
    assert.deepEqual(heapFlags(undefined, [own]), [], own);
  }
});

/** Makes about 100 MiB of garbage that has outlived the young heap, and answers how often the whole heap was collected. */
const churn = `
  const { PerformanceObserver, constants } = require("node:perf_hooks");
  async function collections() {
    let whole = 0;
    const count = (list) => {
      for (const { detail } of list.getEntries()) if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) whole++;
    };
    new PerformanceObserver(count).observe({ entryTypes: ["gc"] });
    const kept = [];
    for (let round = 0; round < 32; round++) {
      kept.push(Array.from({ length: 100_000 }, (_, index) => ({ index })));
      if (kept.length > 4) kept.shift();
      await new Promise(setImmediate);
    }
    return whole;
  }`;
const worker = `${churn}
  collections().then((whole) => require("node:worker_threads").parentPort.postMessage(whole));`;

test("a node's heap is left alone while there is little in it, and those of its other threads are collected as ever", async () => {
  const program = `${churn}
    const { Worker } = require("node:worker_threads");
    (async () => {
      const { leaveOthersTheirHeap } = await import(${JSON.stringify(new URL("./node-heap.ts", import.meta.url))});
      leaveOthersTheirHeap();
      const other = new Worker(${JSON.stringify(worker)}, { eval: true });
      const others = await new Promise((resolve) => other.once("message", resolve));
      console.log(JSON.stringify({ own: await collections(), others }));
    })();`;
  const { stdout } = await promisify(execFile)(process.execPath, [...heapFlags(undefined, []), "-e", program]);
  const { own, others } = JSON.parse(stdout) as { own: number; others: number };
  assert.equal(own, 0);
  assert.ok(others > 0, "the other thread's garbage waited like the node's own");
});
