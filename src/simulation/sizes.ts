/**
 * How many nodes and clients a run has: the scenario says it, or the seed. A case was found with as many as there were
 * then, and the scenario may say something else by now.
 */
import { SynodError } from "../errors.ts";
import type { PlannedOperation } from "./asking.ts";
import type { RunOptions } from "./simulate.ts";

export function nodesOf({ nodes }: RunOptions["scenario"], seed: number): number {
  return nodes ?? 3 + (seed % 3);
}

/** At least so many clients has a run of these operations; each asks by chance of its own, so that more move nothing. */
export function clientsOf(operations: readonly PlannedOperation[] = []): number {
  return operations.reduce((most, { client }) => Math.max(most, client + 1), 0);
}

export function refuseMissingNodes({ scenario, seed, plan = [] }: RunOptions): void {
  const length = nodesOf(scenario, seed);
  const names = new Set(Array.from({ length }, (_, index) => `node-${index + 1}`));
  const missing = plan.flatMap(({ nodes }) => nodes).find((name) => !names.has(name));
  if (missing === undefined) return;
  throw new SynodError(
    "failed_precondition",
    `A fault of this case is about ${missing}, and the scenario has ${length} nodes, node-1 to node-${length}: give it as many \`nodes\` as it had when the case was found.`,
  );
}
