/**
 * What the probers of the availability meter cost: the processor time that the system, its supervisor and the probers take while it
 * is probed and nobody else calls, less what they take while nobody does. Probes come at a fixed rate, so that the rest is what calls can have.
 */
import type { Bench } from "../bench.ts";

export const probes: Bench = {
  name: "probes",
  summary: "what the availability meter leaves of the machine's processors for calls; take 10 seconds or more",
  unit: "% of the processors",
  variants: [{ name: "bank", title: "the bank on three nodes, probed: processor time left for calls, %" }],
  mainVariant: "bank",
  warmsUpItself: true,
  // At rest, probed, and at rest again, with the rests between them.
  runMs: (_variant, measureMs) => 20_000 + 3 * measureMs,
  sides: { synod: new URL("./synod.ts", import.meta.url) },
};
