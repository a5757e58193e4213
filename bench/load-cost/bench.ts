/**
 * What load control and meters cost: stateless calls of 100 bytes over a link between two nodes, as they are, and with
 * the limiter, the meters and the breakers taken out. Counted in calls per second of the processor, because both
 * nodes stand in one process and other programs take time, too.
 */
import type { Bench, Variant } from "../bench.ts";

interface CostVariant extends Variant {
  readonly inFlight: number;
}

const variants: readonly CostVariant[] = [64, 1, 512].map((inFlight) => ({
  name: `rpc-${inFlight}`,
  title: `calls over a link, ${inFlight} in flight`,
  inFlight,
}));

export function costVariant(name: string): CostVariant {
  const found = variants.find((variant) => variant.name === name);
  if (found === undefined) throw new Error(`the bench load-cost has no variant ${name}`);
  return found;
}

export const loadCost: Bench = {
  name: "load-cost",
  summary: "what limiter, meters and breakers take of a call over a link",
  unit: "calls per processor second",
  variants,
  mainVariant: "rpc-64",
  sides: { synod: new URL("./synod.ts", import.meta.url), limit: new URL("./limit.ts", import.meta.url) },
};
