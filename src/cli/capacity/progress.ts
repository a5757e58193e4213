/** How far the search has come: a line for each trial on standard error, and on a terminal what is going on now. */
import type { TrialRecord } from "../../capacity/finder.ts";
import { goodputOf } from "../../capacity/trial.ts";
import { ms, rate } from "../../capacity/words.ts";
import { quantileMs } from "../../values/histogram.ts";

/** Processors that others must have had to be spoken of. */
const othersMin = 0.05;

export class TrialProgress {
  stage(words: string): void {
    this.#line(`Measuring ${words}`);
  }

  /** What is to be known before it begins. */
  note(words: string): void {
    this.#line(words);
  }

  offering(phase: TrialRecord["phase"], perSecond: number): void {
    if (process.stderr.isTTY) process.stderr.write(`\r${phase}: offering ${rate(perSecond)} calls/s …\u001b[K`);
  }

  trial({ phase, figures, verdict, othersCores = 0 }: TrialRecord): void {
    const { response, perSecond } = figures;
    const times = `p50 ${ms(quantileMs(response, 0.5))}, p99 ${ms(quantileMs(response, 0.99))}`;
    const result = `${rate(goodputOf(figures))}/s good, ${times}`;
    const others = othersCores >= othersMin ? ` (other programs: ${othersCores.toFixed(2)} processors)` : "";
    this.#line(`${phase}: ${rate(perSecond)} calls/s offered, ${result}: ${wordsOf(verdict)}${others}`);
  }

  end(): void {
    if (process.stderr.isTTY) process.stderr.write("\r\u001b[K");
  }

  #line(words: string): void {
    process.stderr.write(`${process.stderr.isTTY ? "\r" : ""}${words}${process.stderr.isTTY ? "\u001b[K" : ""}\n`);
  }
}

function wordsOf(verdict: TrialRecord["verdict"]): string {
  if (verdict.kind === "passed") return "carried";
  if (verdict.kind === "discarded") return `thrown away, ${verdict.reason}`;
  return `not carried, ${verdict.reasons.join(", ")}`;
}
