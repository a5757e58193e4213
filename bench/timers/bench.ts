/**
 * Timers on one node: what a great number of them costs while none is due, and how late each runs its command when
 * they all come due, evenly over a while.
 */
import type { Bench, Variant } from "../bench.ts";

interface TimersVariant extends Variant {
  /** Timers that are due, and as many that are not, for each second of the time that counts. */
  readonly perSecond: number;
}

const timersVariants: readonly TimersVariant[] = [
  { name: "pending", title: "50,000 timers due per second given, and as many far away", perSecond: 50_000 },
];

export function timersVariant(name: string): TimersVariant {
  const found = timersVariants.find((variant) => variant.name === name);
  if (found === undefined) throw new Error(`the bench timers has no variant ${name}`);
  return found;
}

export const timers: Bench = {
  name: "timers",
  summary: "how late timers run their commands, and what they cost before; 100,000 and 100,000 far away at 2 seconds",
  unit: "timers/s on time",
  variants: timersVariants,
  mainVariant: "pending",
  sides: { synod: new URL("./synod.ts", import.meta.url), limit: new URL("./limit.ts", import.meta.url) },
};
