/**
 * What goes first where something has to wait, on links and in a node's queue. The numbers travel in frames; lower
 * ones go first.
 */

/** How much an operation matters, as its interface says it. */
export type Priority = "critical" | "normal" | "background";

export const priorities: readonly Priority[] = ["critical", "normal", "background"];

/** A place in the order. Calls of handlers whose own call was admitted go ahead of all that comes from outside. */
export const ranks = { cluster: 0, chain: 1, critical: 2, normal: 3, background: 4 } as const;

export type Rank = (typeof ranks)[keyof typeof ranks];

/** The last place. */
export const rankMax: Rank = ranks.background;

/** The rank of a call from outside: its operation's, or a later one if its caller asks for that. */
export function rankOf(declared: Priority, asked?: Priority): Rank {
  return asked === undefined || ranks[asked] < ranks[declared] ? ranks[declared] : ranks[asked];
}

/** What another node says about a call; what is beyond the last place is in it. */
export function rankOfByte(byte: number): Rank {
  return Math.min(byte, rankMax) as Rank;
}
