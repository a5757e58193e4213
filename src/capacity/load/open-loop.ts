/**
 * An open loop: calls are due at random instants (a Poisson process), whether or not earlier ones were answered, as they come from
 * people who do not know of each other. How long one took counts from the instant at which it was due, not from when it
 * was sent: a load that waits for a slow server, or counts from the sending, hides exactly the waits that it is made to
 * find ("coordinated omission", Gil Tene).
 *
 * It reads no clock and opens no connection: whoever drives it says what time it is, and how a call is sent.
 */
import { Fifo } from "../../values/fifo.ts";
import type { Histogram } from "../../values/histogram.ts";
import type { Prng } from "../../values/prng.ts";
import { DurationRecorder } from "../../values/recorder.ts";

/** What a call was answered with: `good`, `declared` (an error of the operation's own: good, too), or what went wrong. */
export type Ending = string;

export interface OpenCall {
  /** When it was due, ms. */
  readonly due: number;
  over: boolean;
}

export interface OpenLoopOptions {
  readonly perSecond: number;
  /** How long before it counts, and how long it counts, ms. */
  readonly settleMs: number;
  readonly ms: number;
  /** How long a caller waits for his answer, ms. */
  readonly timeoutMs: number;
  /** How long after the end a good answer still says that the system kept up, ms. */
  readonly graceMs: number;
  readonly prng: Prng;
  /** The instant at which it begins, ms. */
  readonly began: number;
  /** Called for every call when it is due; its end is told by {@link OpenLoop.ended}. */
  readonly send: (call: OpenCall) => void;
}

/** What became of the calls that were due while it counted. */
export interface Tally {
  readonly due: number;
  readonly good: number;
  readonly declared: number;
  readonly failures: Readonly<Record<string, number>>;
  readonly keptUp: number;
  readonly response: Histogram;
  readonly lag: Histogram;
  readonly open: readonly number[];
}

/** How often the open calls are counted, ms. */
const sampleMs = 50;

export class OpenLoop {
  readonly #options: OpenLoopOptions;
  readonly #countsFrom: number;
  readonly #endsAt: number;
  readonly #response = new DurationRecorder();
  readonly #lag = new DurationRecorder();
  readonly #failures = new Map<string, number>();
  readonly #samples: number[] = [];
  /** In the order in which they were due, over or not. */
  readonly #calls = new Fifo<OpenCall>();
  #open = 0;
  #nextDue: number;
  #nextSample: number;
  #due = 0;
  #good = 0;
  #declared = 0;
  #keptUp = 0;

  constructor(options: OpenLoopOptions) {
    this.#options = options;
    this.#countsFrom = options.began + options.settleMs;
    this.#endsAt = this.#countsFrom + options.ms;
    this.#nextDue = options.began + this.#interval();
    this.#nextSample = this.#countsFrom;
  }

  /** Sends what is due and gives up what nobody waits for any more; returns when the next call is due, ms. */
  turn(now: number): number {
    while (this.#nextDue <= now && this.#nextDue < this.#endsAt) {
      const call: OpenCall = { due: this.#nextDue, over: false };
      this.#nextDue += this.#interval();
      this.#open += 1;
      this.#calls.add(call);
      if (this.#counts(call)) {
        this.#due += 1;
        this.#lag.record(now - call.due);
      }
      this.#options.send(call);
    }
    for (; now >= this.#nextSample && this.#nextSample < this.#endsAt; this.#nextSample += sampleMs) {
      this.#samples.push(this.#open);
    }
    this.#expire(now);
    return this.#nextDue;
  }

  /** The answer to a call came, or it is known that none will. What comes when nobody waits any more does not count. */
  ended(call: OpenCall, ending: Ending, now: number): void {
    if (call.over) return;
    const tookMs = now - call.due;
    if (tookMs > this.#options.timeoutMs) return this.#end(call, "late");
    this.#end(call, ending);
    if (!this.#counts(call) || !isGood(ending)) return;
    this.#good += 1;
    if (ending === "declared") this.#declared += 1;
    if (now <= this.#endsAt + this.#options.graceMs) this.#keptUp += 1;
    this.#response.record(tookMs);
  }

  /** Whether no more calls will be due and none is open. */
  isOver(now: number): boolean {
    return now >= this.#endsAt && this.#open === 0;
  }

  tally(): Tally {
    return {
      due: this.#due,
      good: this.#good,
      declared: this.#declared,
      failures: Object.fromEntries(this.#failures),
      keptUp: this.#keptUp,
      response: this.#response.read(),
      lag: this.#lag.read(),
      open: this.#samples,
    };
  }

  #end(call: OpenCall, ending: Ending): void {
    call.over = true;
    this.#open -= 1;
    if (this.#counts(call) && !isGood(ending)) this.#failures.set(ending, (this.#failures.get(ending) ?? 0) + 1);
  }

  #expire(now: number): void {
    const { timeoutMs } = this.#options;
    for (let first = this.#calls.first(); first !== undefined; first = this.#calls.first()) {
      if (!first.over && now - first.due <= timeoutMs) return;
      this.#calls.take();
      if (!first.over) this.#end(first, "late");
    }
  }

  #counts({ due }: OpenCall): boolean {
    return due >= this.#countsFrom;
  }

  /** Of a Poisson process: exponentially distributed. */
  #interval(): number {
    return (-Math.log(1 - this.#options.prng.number()) / this.#options.perSecond) * 1_000;
  }
}

/** A declared error is a reply that the operation's author wanted; being turned away is not. */
function isGood(ending: Ending): boolean {
  return ending === "good" || ending === "declared";
}
