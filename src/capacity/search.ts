/**
 * The search for the capacity: the highest load that a system carries. Like finding how much a bridge bears: heavier
 * lorries until one is too heavy, then ever closer between the last that was carried and the first that was not. Which of two close ones is
 * carried is chance, mostly: so many are driven across that are about as heavy, lighter and heavier ones in turn, until it is known what is
 * carried half the time, and the answer, a little less, has to be carried by a majority.
 *
 * Decisions only: it says which trial comes next and is told the verdict. The driver is `finder.ts`:
 *
 *     for (let trial = search.next(); trial !== undefined; trial = search.next()) search.told(verdictOf(trial));
 *     search.result
 */
import { Boundary, type Estimate } from "./boundary.ts";
import type { Verdict } from "./trial.ts";

export interface SearchOptions {
  /** Where the ramp begins, calls/s. */
  readonly firstPerSecond: number;
  /** No load above it is offered, calls/s. */
  readonly perSecondMax: number;
}

export interface NextTrial {
  readonly phase: "ramp" | "bisection" | "repetition" | "confirmation";
  readonly perSecond: number;
  /** How long, in lengths of an ordinary trial. */
  readonly lengths: number;
}

export interface SearchResult {
  /** The highest load that passed the confirmation, calls/s: a lower bound of the capacity. 0: none did. */
  readonly perSecond: number;
  /** What all trials together say about where the boundary is; undefined when no load failed, or none was carried. */
  readonly boundary: Estimate | undefined;
  /** The lowest load above it that did not pass, calls/s; undefined when all did that were tried. */
  readonly above: number | undefined;
  /** What held the search back from more: the system, the load that could not keep time, or `perSecondMax`. */
  readonly limit: "system" | "load" | "bound";
}

const rampFactor = 2;
/** Bisection ends when the load that failed is no further than this above the one that passed, and repetition when the boundary is known as well. */
const precision = 0.05;
/** Nothing below it is tried. */
const perSecondMin = 1;
/**
 * How often one load is offered before it is believed that the load cannot keep time at it. More often where the
 * boundary is looked for closely: one that is late by chance, in three trials of five, would pass for a load that is not carried.
 */
const discardsMax: Readonly<Record<NextTrial["phase"], number>> = {
  ramp: 3,
  bisection: 4,
  repetition: 6,
  confirmation: 6,
};
/** Loads of the ramp at which the load was late that are passed over for the next higher one, in a row: what comes then may be in time. */
const passedOverMax = 1;
/** How often it has to fail in the ramp and in the bisection: a single pause of the machine, or of a collector, says nothing about a capacity. */
const failuresMax = 2;
/** The loads of the repetition, as parts of where the boundary seems to be: in turn, so that a slow minute of the machine meets all of them. */
const repeatedParts: readonly number[] = [1, 1.05, 0.95];
const repetitionsMin = 6;
/** With so many, five searches on a server whose speed swings by 15 % from trial to trial lie within a tenth nine times of ten. */
const repetitionsMax = 30;
/** Confirmed is what is so much below the boundary: at the boundary itself half of the confirmations would fail. */
const confirmedPart = 0.95;
/** Trials of a confirmation that have to pass, before as many fail: two of three. */
const majority = 2;
/** What a load that was not confirmed is lowered by at least, and how often. */
const lowering = 0.975;
const loweringsMax = 10;
/** On the way up a load is far from what can be carried, mostly: a part of a trial shows it. One that fails there is offered in full. */
const rampLengths = 1 / 3;

interface Failure {
  readonly perSecond: number;
  readonly byLoad: boolean;
}

export class CapacitySearch {
  readonly #options: SearchOptions;
  readonly #boundary: Boundary;
  readonly #allFailures: Failure[] = [];
  #phase: NextTrial["phase"] = "ramp";
  #perSecond: number;
  #passed: number | undefined;
  #failed: number | undefined;
  #discards = 0;
  #passedOver = 0;
  #failures = 0;
  #repetitions = 0;
  #confirmations = 0;
  #lowerings = 0;
  #result: SearchResult | undefined;

  constructor(options: SearchOptions) {
    this.#options = options;
    this.#perSecond = Math.min(options.firstPerSecond, options.perSecondMax);
    this.#boundary = new Boundary(perSecondMin, Math.max(perSecondMin, options.perSecondMax));
  }

  /** Undefined when the search is over. */
  next(): NextTrial | undefined {
    if (this.#result !== undefined) return undefined;
    return { phase: this.#phase, perSecond: this.#perSecond, lengths: this.#lengths() };
  }

  #lengths(): number {
    return this.#phase === "ramp" && this.#failures === 0 ? rampLengths : 1;
  }

  /** Of a search that is over. */
  get result(): SearchResult {
    if (this.#result === undefined) throw new Error("the search is not over");
    return this.#result;
  }

  told(verdict: Verdict): void {
    if (verdict.kind === "discarded" && ++this.#discards < discardsMax[this.#phase]) return;
    const byLoad = verdict.kind === "discarded";
    const passed = verdict.kind === "passed";
    this.#discards = 0;
    if (byLoad && this.#passOver()) return;
    this.#boundary.add(this.#perSecond, passed);
    if (!passed) this.#allFailures.push({ perSecond: this.#perSecond, byLoad });
    if (this.#phase === "repetition") return this.#repeated();
    if (this.#phase === "confirmation") return this.#confirmed(passed);
    if (verdict.kind === "failed" && ++this.#failures < failuresMax) return;
    this.#failures = 0;
    if (passed) [this.#passed, this.#passedOver] = [this.#perSecond, 0];
    else this.#failed = this.#perSecond;
    if (this.#phase === "ramp") this.#ramp();
    if (this.#phase === "bisection") this.#bisect();
  }

  /** Nothing is known of this load then, and a higher one that passes tells of it, too. */
  #passOver(): boolean {
    const higher = this.#perSecond * rampFactor;
    if (this.#phase !== "ramp" || this.#failed !== undefined || higher > this.#options.perSecondMax) return false;
    if (++this.#passedOver > passedOverMax) return false;
    [this.#perSecond, this.#failures] = [higher, 0];
    return true;
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
    if (failed <= passed * (1 + precision)) return this.#repeat();
    this.#perSecond = Math.sqrt(passed * failed);
  }

  #repeat(): void {
    this.#phase = "repetition";
    const { perSecond } = this.#boundary.estimate();
    this.#perSecond = this.#offerable(perSecond * repeatedParts[this.#repetitions % repeatedParts.length]!);
  }

  #repeated(): void {
    const { perSecond, from, to } = this.#boundary.estimate();
    this.#repetitions += 1;
    const known = this.#repetitions >= repetitionsMin && to <= from * (1 + precision);
    if (known || this.#repetitions >= repetitionsMax) this.#confirm(this.#offerable(perSecond * confirmedPart));
    else this.#repeat();
  }

  #offerable(perSecond: number): number {
    return Math.min(Math.max(perSecond, perSecondMin), this.#options.perSecondMax);
  }

  #confirm(perSecond: number): void {
    this.#phase = "confirmation";
    [this.#confirmations, this.#failures] = [0, 0];
    this.#perSecond = perSecond;
  }

  #confirmed(passed: boolean): void {
    if (passed && ++this.#confirmations >= majority) return this.#end(this.#perSecond);
    if (passed || ++this.#failures < majority) return;
    const lower = Math.min(this.#boundary.estimate().perSecond * confirmedPart, this.#perSecond * lowering);
    if (++this.#lowerings > loweringsMax || lower < perSecondMin) return this.#end(0);
    this.#confirm(lower);
  }

  #end(perSecond: number): void {
    const above = this.#allFailures.filter((failure) => failure.perSecond > perSecond);
    const byLoad = above.filter((failure) => failure.byLoad).length;
    this.#result = {
      perSecond,
      boundary: perSecond === 0 || above.length === 0 ? undefined : this.#boundary.estimate(),
      above: above.length === 0 ? undefined : Math.min(...above.map((failure) => failure.perSecond)),
      limit: above.length === 0 ? "bound" : byLoad > above.length / 2 ? "load" : "system",
    };
  }
}
