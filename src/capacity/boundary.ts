/**
 * Where the boundary lies between the loads that a system carries and those that it does not. On a machine that does other things, too, it
 * is not a line: near it the same load is carried in one trial and not in the next, as a jumper clears the same bar today and knocks it off
 * tomorrow. So a single trial says little about a load, and all trials together say where the bar is that is cleared half the time.
 *
 * After QUEST (A. B. Watson and D. G. Pelli, "QUEST: A Bayesian adaptive psychometric method", Perception & Psychophysics 33, 1983): every
 * place of the boundary is as likely as any other at first (on a logarithmic scale), each trial makes those less likely that speak against it, and
 * the next trial is best made where the boundary seems to be. How far it is smeared is not known either, so several widths are held
 * possible; and a trial may fail at any load, because the machine stood still for a moment.
 */
export interface Estimate {
  /** The load that is carried in half the trials, but for those that fail at any load, calls/s. */
  readonly perSecond: number;
  /** Between these it is with a probability of 95 %. */
  readonly from: number;
  readonly to: number;
}

/** The distance between two places that are told apart, as a part of the load. */
const gridStep = 0.02;
/** Places beyond the loads that are offered, as a factor: what carries the highest load may carry more. */
const beyond = 2;
/** How far the boundary may be smeared: by this part of the load the odds of being carried change by a factor e. */
const widths: readonly number[] = [0.01, 0.02, 0.04, 0.08, 0.14];
/** The part of the trials that fail whatever the load. */
const lapsePart = 0.1;
/** A load that is far above a place was carried all the same: unlikely, but not impossible. */
const likelihoodMin = 1e-9;

export class Boundary {
  readonly #from: number;
  /** By width and place: the logarithm of how well it fits the trials. */
  readonly #fits: readonly Float64Array[];

  /** It lies between these loads, calls/s, or a little beyond. */
  constructor(lowest: number, highest: number) {
    this.#from = Math.log(lowest / beyond);
    const places = Math.ceil((Math.log(highest * beyond) - this.#from) / gridStep) + 1;
    this.#fits = widths.map(() => new Float64Array(places));
  }

  add(perSecond: number, carried: boolean): void {
    const load = Math.log(perSecond);
    for (const [index, fits] of this.#fits.entries()) {
      for (let place = 0; place < fits.length; place++) {
        const above = (load - this.#at(place)) / widths[index]!;
        const likely = (1 - lapsePart) / (1 + Math.exp(above));
        fits[place]! += Math.log(carried ? Math.max(likely, likelihoodMin) : 1 - likely);
      }
    }
  }

  estimate(): Estimate {
    const weights = this.#weights();
    const [from, perSecond, to] = [0.025, 0.5, 0.975].map((part) => this.#quantile(weights, part));
    return { perSecond: perSecond!, from: from!, to: to! };
  }

  #at(place: number): number {
    return this.#from + place * gridStep;
  }

  /** How likely each place is, over all widths. They add up to 1. */
  #weights(): Float64Array {
    const best = this.#fits.reduce(
      (most, fits) => fits.reduce((a, b) => Math.max(a, b), most),
      Number.NEGATIVE_INFINITY,
    );
    const weights = new Float64Array(this.#fits[0]!.length);
    for (const fits of this.#fits) {
      for (let place = 0; place < weights.length; place++) weights[place]! += Math.exp(fits[place]! - best);
    }
    const sum = weights.reduce((a, b) => a + b, 0);
    return weights.map((weight) => weight / sum);
  }

  #quantile(weights: Float64Array, part: number): number {
    let below = 0;
    for (const [place, weight] of weights.entries()) {
      if (below + weight >= part) return Math.exp(this.#at(place + (part - below) / weight - 0.5));
      below += weight;
    }
    return Math.exp(this.#at(weights.length - 1));
  }
}
