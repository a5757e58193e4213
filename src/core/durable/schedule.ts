/**
 * What follows an attempt of a durable command that did not finish it: when the next one starts, or why there is none.
 *
 * A doorbell is rung again after a while, a little less often each time; who is at home and will not open is left
 * alone after so many times, with a note on the door. Who is not at home has not refused: that is not counted.
 */

export interface ScheduleLimits {
  /** Attempts that count, before the item is parked. */
  readonly attemptsMax: number;
  /** How long an item is tried ({@link triedSince}), whatever its attempts end with, ms. */
  readonly ageMaxMs: number;
  /** The longest wait before the second attempt, and before any, ms. */
  readonly backoffBaseMs: number;
  readonly backoffMaxMs: number;
}

/** How an attempt ended that did not finish its command. */
export type AttemptEnd =
  /** By a fault of the handler, of a callee that refuses, or of what it left: it counts. `thrown`: for operators only. */
  | { readonly kind: "failed"; readonly code: string; readonly message: string; readonly thrown?: string }
  /** A callee waits, or the store, or the entity moves: it does not count. */
  | { readonly kind: "waited"; readonly code: string; readonly message: string }
  /** Trying again would be no use: the handler does something else than before, or there is none any more. */
  | { readonly kind: "hopeless"; readonly code: string; readonly message: string };

export interface Standing {
  /** Attempts that were counted, the one that has just ended included. */
  readonly attempts: number;
  /** How often in a row an attempt has ended uncounted. */
  readonly waits: number;
  /** For how long it has been tried. */
  readonly ageMs: number;
  /** In [0, 1). */
  readonly random: number;
}

export type Next =
  /** Start the next attempt so much later. `attempts`: how many of those so far count. */
  | { readonly kind: "again"; readonly afterMs: number; readonly attempts: number }
  /** Give it up until an operator decides. */
  | {
      readonly kind: "park";
      readonly attempts: number;
      readonly code: string;
      readonly message: string;
      readonly thrown?: string;
    };

export function afterAttempt(end: AttemptEnd, standing: Standing, limits: ScheduleLimits): Next {
  const counts = end.kind !== "waited";
  const attempts = counts ? standing.attempts : Math.max(0, standing.attempts - 1);
  const { code, message } = end;
  const thrown = "thrown" in end ? { thrown: end.thrown } : {};
  if (end.kind === "hopeless") return { kind: "park", attempts, code, message };
  if (counts && attempts >= limits.attemptsMax) {
    return {
      kind: "park",
      attempts,
      code,
      message: `${attempts} attempts failed, the last one: ${message}`,
      ...thrown,
    };
  }
  if (standing.ageMs >= limits.ageMaxMs) {
    return {
      kind: "park",
      attempts,
      code,
      message: `it was tried for ${standing.ageMs} ms, and at last: ${message}`,
      ...thrown,
    };
  }
  const failures = counts ? attempts : standing.waits;
  return { kind: "again", attempts, afterMs: backoffMs(failures, standing.random, limits) };
}

/**
 * Since when an item is tried that its owner takes up at `now`: since its acceptance. One that is not parked and was accepted
 * longer ago than any is tried has been given a new start, by an operator, or could not be tried, because there was no owner.
 */
export function triedSince(acceptedAt: number, now: number, { ageMaxMs }: Pick<ScheduleLimits, "ageMaxMs">): number {
  return now - acceptedAt < ageMaxMs ? acceptedAt : now;
}

/**
 * Whether another attempt may be counted and started. Where as many were counted as there may be, and none of them
 * was known to end, their nodes have died in them, perhaps of them.
 */
export function mayStart(attempts: number, { attemptsMax }: ScheduleLimits): boolean {
  return attempts < attemptsMax;
}

/** Exponential with full jitter, after so many failures (1 or more). */
export function backoffMs(
  failures: number,
  random: number,
  { backoffBaseMs, backoffMaxMs }: Pick<ScheduleLimits, "backoffBaseMs" | "backoffMaxMs">,
): number {
  return Math.min(backoffMaxMs, backoffBaseMs * 2 ** (failures - 1)) * random;
}

/**
 * Whether a status, which no handler of a durable command ever sees, says that the callee waits: the same call may
 * succeed later, without any change to this command. A callee that its nodes died of is not such a one.
 */
export function calleeWaits({ code, retryable }: { readonly code: string; readonly retryable: boolean }): boolean {
  return code === "unavailable" ? retryable : waiting.has(code);
}

const waiting: ReadonlySet<string> = new Set([
  "resource_exhausted",
  "deadline_exceeded",
  "cancelled",
  "aborted",
  // A durable command that is parked, or an entity whose state only newer code reads.
  "failed_precondition",
]);
