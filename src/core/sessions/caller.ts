/**
 * The caller's side of a session: numbers for calls, and the floor below which none will ever be repeated.
 *
 * A cheque book whose stubs are kept until the cheque is settled. With every cheque goes a note to the bank:
 * "all numbers below 40 are done with, except 31 and 35", so that the bank may forget the rest, and must
 * refuse them if they ever turn up again. (After RIFL: Lee et al., "Implementing Linearizability at Large
 * Scale and Low Latency", SOSP 2015.)
 */
import { invariant } from "../../errors.ts";

/** What a caller promises: no number below `floor` is ever repeated, except those in `open`. */
export interface Floor {
  readonly floor: number;
  /** Ascending, all below `floor`; at most `openLengthMax` of them. */
  readonly open: readonly number[];
}

export class CallerSession {
  readonly #openLengthMax: number;
  #next = 1;
  /** Calls that may still be repeated, in ascending order because numbers are given in ascending order. */
  readonly #open = new Set<number>();

  constructor({ openLengthMax }: { readonly openLengthMax: number }) {
    this.#openLengthMax = openLengthMax;
  }

  get openLength(): number {
    return this.#open.size;
  }

  /** The number of a new call. */
  open(): number {
    const number = this.#next++;
    this.#open.add(number);
    return number;
  }

  /** The call of this number will not be sent again, whatever became of it. */
  settle(number: number): void {
    invariant(this.#open.delete(number), "a call is settled once");
  }

  /** The oldest open calls are named; the floor stops below the first that is not. */
  floor(): Floor {
    const open: number[] = [];
    for (const number of this.#open) {
      if (open.length === this.#openLengthMax) return { floor: number, open };
      open.push(number);
    }
    return { floor: this.#next, open };
  }
}
