/**
 * The part of a load that counts. A load runs on through the settling time before it, so that caches are filled
 * and every slot is busy, and stops when it is over. It begins and ends with an answer, so that no answer is
 * counted whose work lies outside of it.
 */
import type { RunOptions } from "./bench.ts";

interface Instant<Mark> {
  readonly at: number;
  readonly mark: Mark;
}

export type Edge = "begun" | "ended";

export interface WindowResult<Mark> {
  readonly completed: number;
  readonly perSecond: number;
  /** What was noted when the window began and when it ended. */
  readonly begun: Mark;
  readonly ended: Mark;
}

export class Window<Mark> {
  readonly #opensAt: number;
  readonly #measureMs: number;
  readonly #note: (edge: Edge) => Mark;
  #begun: Instant<Mark> | undefined;
  #ended: Instant<Mark> | undefined;
  #completed = 0;

  /** `note` is asked once at either edge. */
  constructor({ settleMs, measureMs }: Pick<RunOptions, "settleMs" | "measureMs">, note: (edge: Edge) => Mark) {
    this.#opensAt = performance.now() + settleMs;
    this.#measureMs = measureMs;
    this.#note = note;
  }

  /** Counts an answer. False when the window is over and no more work is to be begun. */
  completed(): boolean {
    if (this.#ended !== undefined) return false;
    const at = performance.now();
    if (this.#begun === undefined) {
      if (at >= this.#opensAt) this.#begun = { at, mark: this.#note("begun") };
      return true;
    }
    this.#completed += 1;
    if (at < this.#begun.at + this.#measureMs) return true;
    this.#ended = { at, mark: this.#note("ended") };
    return false;
  }

  get result(): WindowResult<Mark> {
    if (this.#begun === undefined || this.#ended === undefined) throw new Error("the load ended before its window");
    const seconds = (this.#ended.at - this.#begun.at) / 1_000;
    return {
      completed: this.#completed,
      perSecond: this.#completed / seconds,
      begun: this.#begun.mark,
      ended: this.#ended.mark,
    };
  }
}
