/**
 * A failover with and without a backlog: a node dies over messages that its receivers would not take, and another one
 * takes its keys over. The keys answer before the backlog is read, and it is delivered after that.
 */
import type { Bench, Variant } from "../bench.ts";

interface BacklogVariant extends Variant {
  /** Messages that pend at the node that dies, for each second of the time that counts. */
  readonly perSecond: number;
}

const backlogVariants: readonly BacklogVariant[] = [
  { name: "none", title: "kill -9 of the owner, nothing pending", perSecond: 0 },
  { name: "pending", title: "kill -9 of the owner, 50,000 messages pending per second given", perSecond: 50_000 },
];

export function backlogVariant(name: string): BacklogVariant {
  const found = backlogVariants.find((variant) => variant.name === name);
  if (found === undefined) throw new Error(`the bench backlog has no variant ${name}`);
  return found;
}

export const backlog: Bench = {
  name: "backlog",
  summary: "how soon keys answer after kill -9 of their node, with messages pending there: 100,000 at 2 seconds",
  unit: "keys/s answering again",
  variants: backlogVariants,
  mainVariant: "pending",
  sides: { synod: new URL("./synod.ts", import.meta.url) },
};
