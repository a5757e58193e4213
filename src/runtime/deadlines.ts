/**
 * The deadlines of a node's calls. Nearly all of them are taken back before they pass, so what counts is how little it takes to
 * set one and to take it back: those that lie near one another share a timer of the clock. (One egg timer for
 * each tray, set for the egg that is done first, and not one for each egg.)
 *
 * A deadline passes when it is over and not before, however many share its timer.
 */
import type { Clock, Timer } from "../ports/clock.ts";

/** Deadlines within such a stretch of time share a timer, ms. */
const spanMs = 64;

/** A timer may fire so much early, by what is lost in adding up instants: too little for another timer to wait for, ms. */
const roundingMs = 0.001;

/** What is to be done when an instant has come. */
export interface Due {
  /** On the monotonic clock, ms. */
  readonly deadline: number;
  readonly passed: () => void;
}

/** Those of one stretch of time. */
interface Span {
  readonly dues: Set<Due>;
  /** For when the timer is set: not later than the earliest of them. */
  at: number;
  timer: Timer;
}

export class Deadlines {
  readonly #clock: Clock;
  readonly #spans = new Map<number, Span>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(due: Due): void {
    const { deadline } = due;
    const number = spanOf(due);
    const span = this.#spans.get(number);
    if (span === undefined) {
      const dues = new Set([due]);
      this.#spans.set(number, { dues, at: deadline, timer: this.#timer(number, deadline) });
      return;
    }
    span.dues.add(due);
    if (deadline >= span.at) return;
    span.timer.cancel();
    span.at = deadline;
    span.timer = this.#timer(number, deadline);
  }

  /** Takes it back; nothing happens when it has passed already. */
  remove(due: Due): void {
    const number = spanOf(due);
    const span = this.#spans.get(number);
    if (span?.dues.delete(due) !== true || span.dues.size > 0) return;
    span.timer.cancel();
    this.#spans.delete(number);
  }

  #timer(number: number, at: number): Timer {
    return this.#clock.setTimer(Math.max(0, at - this.#clock.monotonic()), () => this.#fired(number));
  }

  #fired(number: number): void {
    const span = this.#spans.get(number)!;
    const now = this.#clock.monotonic();
    let next = Number.POSITIVE_INFINITY;
    const passed: Due[] = [];
    for (const due of span.dues) {
      if (due.deadline - now <= roundingMs) passed.push(due);
      else next = Math.min(next, due.deadline);
    }
    for (const due of passed) span.dues.delete(due);
    if (span.dues.size === 0) this.#spans.delete(number);
    else {
      span.at = next;
      span.timer = this.#timer(number, next);
    }
    for (const due of passed) due.passed();
  }
}

function spanOf({ deadline }: Due): number {
  return Math.floor(deadline / spanMs);
}
