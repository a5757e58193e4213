/**
 * Bounds (guarantee G6), looked at all along: what a node says that it holds is never more than it may hold. The
 * small bounds of some seeds are reached again and again.
 */
import { activationBytes } from "../../runtime/entity-memory.ts";
import type { NodeHoldings } from "../../runtime/holdings.ts";
import type { NodeLimits } from "../../runtime/limits.ts";

/** How often nodes are asked besides when they send a commit, ms. */
export const boundsLookMs = 250;

/**
 * What an entity may take beyond the room that there was when it was activated, and what those at work may have grown
 * by since; the states of simulated systems are small.
 */
const memorySlackBytes = activationBytes + 256;

/**
 * What may come on top of the bound: each handler that had begun before it was reached leaves one change of an entity of
 * its own, and durable commands go on, which were accepted before. With 20 clients, and 120 bytes for a change.
 */
const undurableSlackBytes = 2_400;

/** What is over its bound, in words: `5 calls, at most 3 may be`. */
export function overBounds(holdings: NodeHoldings, limits: NodeLimits): readonly string[] {
  const { callsInFlight, inputBytes, memoryBytes, undurableBytes, mailboxLength, mailboxOf } = holdings;
  const words: string[] = [];
  const look = (held: number, most: number, what: string): void => {
    if (held > most) words.push(`${held} ${what}, at most ${most} may be`);
  };
  look(callsInFlight, limits.callsInFlightMax, "calls");
  look(inputBytes, limits.inputBytesInFlightMax, "bytes of inputs");
  const memoryMax = limits.entityMemoryBytesMax + limits.chainMemoryBytesMax;
  look(memoryBytes, memoryMax + memorySlackBytes, "bytes of entities");
  look(undurableBytes, limits.undurableBytesMax + undurableSlackBytes, "bytes of changes that are not durable");
  look(mailboxLength, limits.mailboxLengthMax, `commands that wait for ${mailboxOf}`);
  return words;
}
