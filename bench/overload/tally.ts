/**
 * What became of the calls of an open load. A call ends good, or by one cause, and causes are told apart: a system that
 * turns a caller away at once has done something else than one that lets him wait until his time is over, and a call
 * that only waited for its client's leave to repeat it never troubled the system at all.
 */

/** How calls end that get no good answer in time. */
export const endings = {
  /** Answered with 429 or 503, and not repeated again. */
  refused: "turned away",
  /** Its connection was closed before the answer, or the answer was an error; not repeated again. */
  cut: "cut or failed",
  /** For want of a free connection. */
  lost: "lost for want of a connection",
  /** In the rest, its time was over: while its first attempt waited for an answer, */
  lateAtFirst: "late, first attempt unanswered",
  /** or a later one, */
  lateAtRepeat: "late, repeat unanswered",
  /** or in the pause before a repeat, */
  latePausing: "late, pausing before a repeat",
  /** or while a repeat waited for the client's budget. */
  lateInBudget: "late, waiting for the budget of repeats",
} as const;

export type Ending = keyof typeof endings;

/** The calls that were due in one second of a phase. */
export interface Second {
  offered: number;
  good: number;
}

/** What became of the calls that were due in one phase. */
export interface PhaseTally {
  offered: number;
  good: number;
  /** Of the critical ones. */
  criticalOffered: number;
  criticalGood: number;
  attempts: number;
  readonly ended: Record<Ending, number>;
  /** By the second of the phase in which they were due. */
  readonly seconds: Second[];
  /** Of good answers, ms. */
  readonly responsesMs: number[];
  /** How late calls were sent that were due, ms. */
  readonly lagsMs: number[];
}

export function newTally(ms: number): PhaseTally {
  const ended = { refused: 0, cut: 0, lost: 0, lateAtFirst: 0, lateAtRepeat: 0, latePausing: 0, lateInBudget: 0 };
  const seconds = Array.from({ length: Math.ceil(ms / 1_000) }, () => ({ offered: 0, good: 0 }));
  const counts = { offered: 0, good: 0, criticalOffered: 0, criticalGood: 0, attempts: 0 };
  return { ...counts, ended, seconds, responsesMs: [], lagsMs: [] };
}

/** Those that got no answer within their time, for whatever reason. */
export function lateOf({ ended }: PhaseTally): number {
  return ended.lateAtFirst + ended.lateAtRepeat + ended.latePausing + ended.lateInBudget;
}

/**
 * The part of the calls that were sent whose callers had heard nothing when their time was over, not even a refusal. The load cannot know
 * which of them were let in. Those for which no connection was free were not sent.
 */
export function unheardOf({ offered, ended }: PhaseTally): number {
  return ended.lateAtFirst / Math.max(1, offered - ended.lost);
}

/**
 * How long after the trigger goodput was back for good, in seconds: the end of the last one of these seconds in which
 * less than `part` of what was offered was good; 0 if there is none.
 */
export function backAfterSeconds(seconds: readonly Second[], part: number): number {
  return seconds.findLastIndex(({ offered, good }) => good < part * offered) + 1;
}
