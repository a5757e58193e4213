/**
 * How fast a queue is served: the mean interval between two starts while something waits.
 *
 * Calls start in bursts: a commit of the store gives hundreds of slots back at once, and for a tenth of a second, or two,
 * nothing starts. An interval taken from starts, however quickly they came, is that within a burst, and a queue of
 * thousands looks short. So starts and time are added up, and both are forgotten at the same pace:
 *
 *     interval = T / S        with every start: T ← T d + t (1 - d),  S ← S d + 1,  d = exp(-gap / t),  t = 500 ms
 *
 * which is the exponentially weighted rate of events at irregular instants. T counts only time in which something waits,
 * and the moments after a burst in which slots were left for calls that come, and are used up by them: without these, and
 * what starts in them, a short queue would be taken for a slow one, and be made shorter still.
 */

/** How quickly it is forgotten, ms: several bursts, and half of what a caller waits at the least, as a rule. */
const forgottenMs = 500;
/** What is believed before anything was seen: 0.2 ms for each start, as if seen for so long. */
const believedMs = 50;
const intervalFirstMs = 0.2;
/**
 * A gap counts as no longer than this, or than the longest of the last seconds: a process that had no processor for a
 * moment, or a store that stood still, is not slower for that afterwards. If it comes again it is a rhythm, and counts in full.
 */
const gapMaxMs = 250;
const longestForgottenMs = 5_000;
/** When nothing has waited for so long, what was learnt is outdated: what is asked for then may be quite different. */
const outdatedMs = 30_000;

export class Pace {
  #timeMs = believedMs;
  #starts = believedMs / intervalFirstMs;
  /** Up to when time was added. */
  #since = 0;
  #waits = false;
  /** Calls that started without a wait since nothing waits any more. */
  #atOnce = 0;
  /** The longest gap between two starts, which is forgotten little by little. */
  #longestMs = 0;

  /** Between two starts, ms. */
  get intervalMs(): number {
    return this.#timeMs / this.#starts;
  }

  /** Something waits from now on, if nothing has before; because everything is taken, or for the end of a turn only. */
  filled(now: number, taken: boolean): void {
    if (this.#waits) return;
    this.#waits = true;
    if (taken && now - this.#since <= gapMaxMs) this.#add(now, this.#atOnce);
    else if (now - this.#since >= outdatedMs) [this.#timeMs, this.#starts] = [believedMs, believedMs / intervalFirstMs];
    this.#since = now;
  }

  /** Nothing waits any more. */
  emptied(now: number): void {
    if (!this.#waits) return;
    this.#waits = false;
    this.#since = now;
    this.#atOnce = 0;
  }

  /** A call starts that did not wait. */
  startedAtOnce(): void {
    this.#atOnce += 1;
  }

  /** A call that has waited starts. */
  started(now: number): void {
    this.#add(now, 1);
  }

  #add(now: number, starts: number): void {
    const lastedMs = now - this.#since;
    if (lastedMs > 0) {
      const gapMs = Math.min(lastedMs, Math.max(gapMaxMs, this.#longestMs));
      this.#longestMs = Math.max(lastedMs, this.#longestMs * Math.exp(-lastedMs / longestForgottenMs));
      const kept = Math.exp(-gapMs / forgottenMs);
      this.#timeMs = this.#timeMs * kept + forgottenMs * (1 - kept);
      this.#starts *= kept;
    }
    this.#starts += starts;
    this.#since = now;
  }
}
