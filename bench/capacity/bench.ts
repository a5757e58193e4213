/**
 * The capacity of the bank on one node, as `synod capacity` finds it, and as an open-loop load tool that we did not write
 * does: `loadtest` (npm), which sends at fixed instants whether or not earlier requests were answered. Both are offered to
 * by the same search, start the same system anew for each run, and ask for the same. The spread of the samples says how well a capacity
 * is repeated, the ratio whether it can be believed. `--seconds` is how long one trial counts: take 2 or more.
 */
import type { Bench } from "../bench.ts";

/** Trials of one search, as a rule, in whole lengths of one. */
const trialsUsual = 36;
/** What a trial takes besides what counts of it, ms. */
const trialBesideMs = 1_200;

export const capacity: Bench = {
  name: "capacity",
  summary: "the highest load that the bank carries on one node (p99 within 250 ms), by two open-loop loads",
  unit: "calls/s",
  variants: [{ name: "one-node", title: "capacity of the bank on one node, p99 within 250 ms" }],
  mainVariant: "one-node",
  warmsUpItself: true,
  runMs: (_variant, measureMs) => trialsUsual * (measureMs + trialBesideMs),
  peers: ["loadtest"],
  limitless: "a capacity is found, not reached: the other side is a tool that looks for the same one",
  sides: {
    synod: new URL("./synod.ts", import.meta.url),
    loadtest: new URL("./loadtest.ts", import.meta.url),
  },
};
