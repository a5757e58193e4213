/** A drill goes on, and reads back, when the system that it strikes does not answer for a while. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { HistoryRecorder } from "../simulation/history.ts";
import { createPrng } from "../values/prng.ts";
import type { DrilledSystem, DrillOptions } from "./drill.ts";
import { injectFaults, untilWhole } from "./injection.ts";
import type { DrillLoad } from "./load.ts";

const nodes = [
  { id: "node-1", serves: true },
  { id: "node-2", serves: true },
];

/** What was struck and left out, of four faults at a system that answers so. */
async function injected(answers: Partial<DrilledSystem>) {
  const system = { nodes: async () => nodes, strike: async () => {}, ...answers } as DrilledSystem;
  const words: string[] = [];
  const began = performance.now();
  const load = {
    calls: [],
    get now() {
      return performance.now() - began;
    },
  } as unknown as DrillLoad;
  const { signal } = new AbortController();
  const onProgress = (line: string): void => void words.push(line);
  const times = { everyMs: 40, lastsMs: 160, faultLastsMs: 0 };
  const options = { system, faults: ["kill"], ...times, signal, onProgress } as unknown as DrillOptions;
  const recorder = { fault: () => {} } as unknown as HistoryRecorder;
  return { ...(await injectFaults(options, load, recorder, createPrng(1))), words };
}

test("a fault that the system does not take is left out, and the next one follows", async () => {
  let strikes = 0;
  const { struck, skipped, words } = await injected({
    strike: async () => {
      if (++strikes === 2) throw new Error("nobody answers");
    },
  });
  assert.deepEqual([struck.length, skipped], [3, 1]);
  assert.ok(words.some((line) => /nobody answers/.test(line)));
});

test("nodes that nobody tells of, or that there are none of, are not struck", async () => {
  const fails = async () => {
    throw new Error("nobody answers");
  };
  for (const answer of [fails, async () => []]) {
    const { struck, skipped } = await injected({ nodes: answer });
    assert.deepEqual([struck.length, skipped], [0, 4]);
  }
});

test("when it is waited for, what was told last is what there is", async () => {
  let asked = 0;
  const system = {
    nodes: async () => {
      if (++asked > 1) throw new Error("nobody answers");
      return [nodes[0]!, { id: "node-2", serves: false }];
    },
  } as unknown as DrilledSystem;
  const { nodes: told, whole } = await untilWhole(system, 60);
  assert.deepEqual([told.map(({ id }) => id), whole], [["node-1", "node-2"], false]);
  assert.ok(asked > 1);
});
