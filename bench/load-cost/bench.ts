/**
 * What load control and meters cost: stateless calls of 100 bytes over a link between two nodes, as they are, and with
 * the limiter, the meters and the breakers taken out. Counted in calls per second of the processor, because both
 * nodes stand in one process and other programs take time, too.
 */
import type { Bench, Variant } from "../bench.ts";
import { type Result, ratioTo, takenOf } from "../result.ts";
import { formatted } from "../table.ts";

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

/** What load control may take of the rate of calls. */
const costMax = 0.1;

/** Of each variant that was measured, the part that is missing to the rate without load control and meters. */
function costsOf(result: Result): readonly { readonly title: string; readonly cost: number; readonly how: string }[] {
  return variants.flatMap(({ name, title }) => {
    const ratio = ratioTo(result.sides, "limit", name);
    const own = result.sides.synod?.[name];
    const taken = takenOf(result, name, own);
    if (ratio === undefined || own === undefined || taken === undefined) return [];
    const when = `${taken.date}, \`${taken.commit.slice(0, 7)}\`, load average ${formatted(taken.loadBefore)} before`;
    return [{ title, cost: 1 - ratio, how: `median of ${own.samples.length} runs of each; ${when}` }];
  });
}

function sentencesOf(result: Result): string {
  const percent = (cost: number): string => `${(100 * cost).toFixed(1)} %`;
  const lines = costsOf(result).map(
    ({ title, cost, how }) => `- ${title}: ${percent(cost)} of the rate, at most ${percent(costMax)} wanted (${how})`,
  );
  return lines.join("\n");
}

export const loadCost: Bench = {
  name: "load-cost",
  summary: "what limiter, meters and breakers take of a call over a link",
  unit: "calls per processor second",
  variants,
  mainVariant: "rpc-64",
  page: { path: "docs/load.md", text: sentencesOf },
  gates: (result: Result) =>
    costsOf(result).map(
      ({ title, cost }) =>
        `${cost <= costMax ? "passed" : "FAILED"}: ${title}, part of the rate: ${cost.toFixed(3)}, to be at most ${costMax}`,
    ),
  sides: { synod: new URL("./synod.ts", import.meta.url), limit: new URL("./limit.ts", import.meta.url) },
};
