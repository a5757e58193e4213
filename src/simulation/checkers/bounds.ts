/**
 * Bounds (guarantee G6), looked at all along: what a node says that it holds is never more than it may hold. The
 * small bounds of some seeds are reached again and again.
 */
import type { NodeLimits } from "../../runtime/limits.ts";
import type { NodeStatus } from "../../runtime/node.ts";

/** How often nodes are asked, ms. */
export const boundsLookMs = 250;

/**
 * What an entity may take beyond the room that there was when it was activated, and what those at work may have grown
 * by since; the states of simulated systems are small.
 */
const memorySlackBytes = 1_280;

/** What is over its bound, in words; undefined when nothing is. */
export function overBound(
  { callsInFlight, memoryBytes, node }: NodeStatus,
  { callsInFlightMax, entityMemoryBytesMax }: NodeLimits,
): string | undefined {
  if (callsInFlight > callsInFlightMax)
    return `${node} holds ${callsInFlight} calls, at most ${callsInFlightMax} may be`;
  if (memoryBytes <= entityMemoryBytesMax + memorySlackBytes) return undefined;
  return `${node} holds entities of ${memoryBytes} bytes, at most ${entityMemoryBytesMax} may be`;
}
