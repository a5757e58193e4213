/** How the time that a system has for its drain is shared out, whoever began it: the supervisor, or nodes that have lost theirs. */

/** The part in which all nodes answer what came in, before the first of them leaves. */
const doorsPart = 0.7;

/** How long all nodes may close their doors, of a drain of `drainMs`. */
export function doorsMs(drainMs: number): number {
  return Math.max(0, drainMs) * doorsPart;
}
