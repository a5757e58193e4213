/**
 * Durable commands asked for by another process: what it costs to change state that survives a crash of the machine,
 * once per command, by what people would build this with. Every side waits for the disk before it answers, and can
 * tell a repeated command from a new one.
 */
import type { Bench, Variant } from "../bench.ts";

interface DurableVariant extends Variant {
  readonly counters: number;
  readonly inFlight: number;
}

const shapes = [
  { of: "spread", counters: 1_000, words: "1,000 counters" },
  { of: "hot", counters: 1, words: "one counter" },
];

const durableVariants: readonly DurableVariant[] = [256, 64].flatMap((inFlight) =>
  shapes.map(({ of, counters, words }) => ({
    name: `${of}-${inFlight}`,
    title: `${words}, ${inFlight} in flight`,
    counters,
    inFlight,
  })),
);

export function durableVariant(name: string): DurableVariant {
  const found = durableVariants.find((variant) => variant.name === name);
  if (found === undefined) throw new Error(`the bench durable has no variant ${name}`);
  return found;
}

const peers = ["upsert", "restate", "dbos", "effect"];

export const durable: Bench = {
  name: "durable",
  summary: "durable commands to counters, called from another process, synced to disk before they are answered",
  unit: "commands/s",
  variants: durableVariants,
  mainVariant: "spread-256",
  peers,
  sides: Object.fromEntries(
    ["synod", "limit", ...peers].map((side) => [side, new URL(`./${side}.ts`, import.meta.url)]),
  ),
};
