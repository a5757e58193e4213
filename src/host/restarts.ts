/**
 * When a node that died is started again. The first restart is immediate, for a crash is mostly one of a
 * kind; a node that keeps dying before it serves waits longer each time, and is given up in the end,
 * because then it is the system that is broken. A node that served starts with a clean slate.
 */

/** Deaths in a row, without having served, after which a node is given up. */
export const startFailuresMax = 6;
const backoffFirstMs = 100;

/** Deaths of one node in a row since it last served. */
export type StartFailures = number;

export type Restart =
  | { readonly kind: "start"; readonly delayMs: number; readonly failures: StartFailures }
  | { readonly kind: "give-up"; readonly failures: StartFailures };

/** What follows the death of a node that had failed `failures` times before and now served or not. */
export function afterDeath(failures: StartFailures, served: boolean): Restart {
  const now = served ? 0 : failures + 1;
  if (now >= startFailuresMax) return { kind: "give-up", failures: now };
  const delayMs = now <= 1 ? 0 : backoffFirstMs * 2 ** (now - 2);
  return { kind: "start", delayMs, failures: now };
}
