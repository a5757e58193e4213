/**
 * The search for the capacity: the highest load that a system carries. Like finding how much a bridge bears: heavier
 * lorries until one is too heavy, then ever closer between the last that was carried and the first that was not, and the
 * answer is driven across once more, for longer.
 *
 * Decisions only: it says which trial comes next and is told the verdict. The driver is `capacity.ts`:
 *
 *     for (let trial = search.next(); trial !== undefined; trial = search.next()) search.told(verdictOf(trial));
 *     search.result
 */
import type { Verdict } from "./trial.ts";

export interface SearchOptions {
  /** Where the ramp begins, calls/s. */
  readonly firstPerSecond: number;
  /** No load above it is offered, calls/s. */
  readonly perSecondMax: number;
}

export interface NextTrial {
  readonly phase: "ramp" | "bisection" | "confirmation";
  readonly perSecond: number;
  /** How long, in lengths of an ordinary trial. */
  readonly lengths: number;
}

export interface SearchResult {
  /** The highest load that passed the confirmation, calls/s: a lower bound of the capacity. 0: none did. */
  readonly perSecond: number;
  /** The lowest load above it that did not pass, calls/s; undefined when all did that were tried. */
  readonly above: number | undefined;
  /** What held the search back from more: the system, the load that could not keep time, or `perSecondMax`. */
  readonly limit: "system" | "load" | "bound";
}

const rampFactor = 2;
/** Bisection ends when the load that failed is no further than this above the one that passed. */
const precision = 0.05;
/** Nothing below it is tried. */
const perSecondMin = 1;
/** How often one load is offered before it is believed that the load cannot keep time at it. */
const discardsMax = 3;
/** Loads of the ramp at which the load was late that are passed over for the next higher one, in a row: what comes then may be in time. */
const passedOverMax = 1;
/** How often it has to fail: a single pause of the machine, or of a collector, says nothing about a capacity. */
const failuresMax = 2;
/** What a load that was not confirmed is lowered by, and how often. */
const lowering = 0.95;
const loweringsMax = 6;
const confirmationLengths = 2;
/** On the way up a load is far from what can be carried, mostly: a part of a trial shows it. One that fails there is offered in full. */
const rampLengths = 1 / 3;

export class CapacitySearch {
  readonly #options: SearchOptions;
  #phase: NextTrial["phase"] = "ramp";
  #perSecond: number;
  #passed: number | undefined;
  #failed: number | undefined;
  #failedByLoad = false;
  #discards = 0;
  #passedOver = 0;
  #failures = 0;
  #lowerings = 0;
  #result: SearchResult | undefined;

  constructor(options: SearchOptions) {
    this.#options = options;
    this.#perSecond = Math.min(options.firstPerSecond, options.perSecondMax);
  }

  /** Undefined when the search is over. */
  next(): NextTrial | undefined {
    if (this.#result !== undefined) return undefined;
    return { phase: this.#phase, perSecond: this.#perSecond, lengths: this.#lengths() };
  }

  #lengths(): number {
    if (this.#phase === "confirmation") return confirmationLengths;
    return this.#phase === "ramp" && this.#failures === 0 ? rampLengths : 1;
  }

  /** Of a search that is over. */
  get result(): SearchResult {
    if (this.#result === undefined) throw new Error("the search is not over");
    return this.#result;
  }

  told(verdict: Verdict): void {
    if (verdict.kind === "discarded" && ++this.#discards < discardsMax) return;
    if (verdict.kind === "failed" && ++this.#failures < failuresMax) return;
    const byLoad = verdict.kind === "discarded";
    const passed = verdict.kind === "passed";
    [this.#discards, this.#failures] = [0, 0];
    if (byLoad && this.#passOver()) return;
    if (this.#phase === "confirmation") return this.#confirmed(passed, byLoad);
    if (passed) [this.#passed, this.#passedOver] = [this.#perSecond, 0];
    else this.#fail(byLoad);
    if (this.#phase === "ramp") this.#ramp();
    if (this.#phase === "bisection") this.#bisect();
  }

  /** Nothing is known of this load then, and a higher one that passes tells of it, too. */
  #passOver(): boolean {
    const higher = this.#perSecond * rampFactor;
    if (this.#phase !== "ramp" || this.#failed !== undefined || higher > this.#options.perSecondMax) return false;
    if (++this.#passedOver > passedOverMax) return false;
    this.#perSecond = higher;
    return true;
  }

  #fail(byLoad: boolean): void {
    this.#failed = this.#perSecond;
    this.#failedByLoad = byLoad;
  }

  /** Upwards until one fails, or downwards until one passes. */
  #ramp(): void {
    if (this.#passed !== undefined && this.#failed !== undefined) {
      this.#phase = "bisection";
      return;
    }
    if (this.#passed !== undefined) {
      if (this.#passed >= this.#options.perSecondMax) return this.#confirm(this.#passed);
      this.#perSecond = Math.min(this.#passed * rampFactor, this.#options.perSecondMax);
      return;
    }
    this.#perSecond = this.#failed! / rampFactor;
    if (this.#perSecond < perSecondMin) this.#end(0);
  }

  #bisect(): void {
    const [passed, failed] = [this.#passed!, this.#failed!];
    if (failed <= passed * (1 + precision)) return this.#confirm(passed);
    this.#perSecond = Math.sqrt(passed * failed);
  }

  #confirm(perSecond: number): void {
    this.#phase = "confirmation";
    this.#perSecond = perSecond;
  }

  #confirmed(passed: boolean, byLoad: boolean): void {
    if (passed) return this.#end(this.#perSecond);
    this.#fail(byLoad);
    if (++this.#lowerings > loweringsMax || this.#perSecond * lowering < perSecondMin) return this.#end(0);
    this.#perSecond *= lowering;
  }

  #end(perSecond: number): void {
    const limit = this.#failed === undefined ? "bound" : this.#failedByLoad ? "load" : "system";
    this.#result = { perSecond, above: this.#failed, limit };
  }
}
