/** Every bound of load control, with its unit last (guarantee G6). None of them needs tuning: docs/load.md. */

export interface LoadLimits {
  /** Calls that wait for the node. */
  readonly queueLengthMax: number;
  /** Where the limit of calls under way starts, and what it never leaves. */
  readonly slotsFirst: number;
  readonly slotsMin: number;
  readonly slotsMax: number;
  /** How long handlers run in one turn of the event loop before whatever came in meanwhile is looked at. */
  readonly sliceMinMs: number;
  readonly sliceMaxMs: number;
  /** The wait that a queue may have which does not empty, and the part of a call's time that it may be. */
  readonly standingWaitMs: number;
  readonly standingPart: number;
  /** A queue that was not empty for this long stands, until nobody was turned away for as long. */
  readonly standingAfterMs: number;
  /** The wait that a burst may have, and the part of the time left to its deadline that a call may spend on it. */
  readonly burstWaitMaxMs: number;
  readonly burstPart: number;
  /** A call is turned away, however short its queue, from whose time that is left a foreseen wait takes such a part. */
  readonly waitPartMax: number;
  /** What is always tolerated as a wait for the store. */
  readonly commitWaitMs: number;
  /** How often the limit is looked at. */
  readonly windowMs: number;
}

export const defaultLoadLimits: LoadLimits = {
  queueLengthMax: 5_000,
  slotsFirst: 64,
  slotsMin: 8,
  slotsMax: 4_096,
  sliceMinMs: 5,
  sliceMaxMs: 50,
  standingWaitMs: 50,
  standingPart: 0.05,
  standingAfterMs: 200,
  burstWaitMaxMs: 1_000,
  burstPart: 0.25,
  waitPartMax: 1,
  commitWaitMs: 50,
  windowMs: 50,
};
