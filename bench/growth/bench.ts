/**
 * Whether durable commands stay as fast when a system has grown: with keys, with replies that are retained for repeats, and
 * with nodes. Synod is compared with itself here, the first variant of each kind with the others, so there is no
 * other side.
 */
import type { Bench, Variant } from "../bench.ts";

interface GrowthVariant extends Variant {
  readonly keys: number;
  /** Recorded replies of outside callers that are there already; undefined for commands without idempotency keys. */
  readonly replies?: number;
  /** How many nodes own the counters, each in a process of its own; undefined for one that is called in its process. */
  readonly nodes?: number;
}

/** An hour of this many commands per second with idempotency keys. */
const repliesPerSecond = 100;

const growthVariants: readonly GrowthVariant[] = [
  ...[1_000, 10_000, 100_000, 1_000_000].map((keys) => ({
    name: `keys-${keys}`,
    title: `${keys.toLocaleString("en")} counters, each as likely`,
    keys,
  })),
  ...[0, 3_600 * repliesPerSecond, 36_000 * repliesPerSecond].map((replies) => ({
    name: `replies-${replies}`,
    title: `idempotency keys, ${replies.toLocaleString("en")} replies retained before`,
    keys: 1_000,
    replies,
  })),
  ...[1, 2, 3].map((nodes) => ({
    name: `nodes-${nodes}`,
    title: `asked for over links, ${nodes} owning nodes`,
    keys: 1_000,
    nodes,
  })),
];

export function growthVariant(name: string): GrowthVariant {
  const found = growthVariants.find((variant) => variant.name === name);
  if (found === undefined) throw new Error(`the bench growth has no variant ${name}`);
  return found;
}

export const growth: Bench = {
  name: "growth",
  summary: "durable commands with many keys, many retained replies, and several nodes",
  unit: "commands/s",
  variants: growthVariants,
  mainVariant: "keys-1000000",
  sides: { synod: new URL("./synod.ts", import.meta.url) },
};
