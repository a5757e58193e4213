/** Real time between operations: one comes before another if it had ended when the other began. */
import type { Operation } from "../operations.ts";

/**
 * Each operation with the one of highest rank among those of `earlier` that had ended when it began, where
 * there is one; operations in the order of their invocations.
 */
export function* withHighestBefore(
  operations: readonly Operation[],
  earlier: readonly Operation[],
  rank: (operation: Operation) => number,
): Generator<readonly [operation: Operation, before: Operation]> {
  const byEnd = earlier.filter((operation) => Number.isFinite(operation.completedAt));
  byEnd.sort((a, b) => a.completedAt - b.completedAt);
  let ended = 0;
  let highest: Operation | undefined;
  for (const operation of operations) {
    for (; ended < byEnd.length && byEnd[ended]!.completedAt < operation.invokedAt; ended++) {
      if (highest === undefined || rank(byEnd[ended]!) > rank(highest)) highest = byEnd[ended]!;
    }
    if (highest !== undefined) yield [operation, highest];
  }
}
