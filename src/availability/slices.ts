/**
 * Slices of a second, as probers outside the nodes see them: up when every probe of it was answered, down when one was not, and
 * unknown when nobody probed, because the probers themselves were held up or gone. Unknown is never up.
 */

/** What one prober saw of one slice. */
export interface SliceSeen {
  /** Which second since 1970. */
  readonly slice: number;
  /** Why a probe failed: a code of an answer, or `cut` or `late`; undefined when it was answered well. */
  readonly failure: string | undefined;
}

/** Part of the system as it was when a probe failed; what is told as the cause of an outage follows from it. */
export interface Surroundings {
  readonly nodes: number;
  readonly serving: number;
}

export interface Outage {
  /** ms since 1970. */
  readonly from: number;
  readonly to: number;
  readonly cause: OutageCause;
  /** What the first failed probe was answered. */
  readonly failure: string;
}

export type OutageCause = "crash" | "failover" | "overload" | "store" | "unknown";

export interface SliceJudged {
  readonly slice: number;
  readonly up: boolean;
}

interface OpenSlice extends SliceJudged {
  readonly failure: string;
  readonly cause: OutageCause;
}

export const sliceMs = 1_000;
/** How long a slice waits for what its probers have to say. */
const settleSlices = 4;
const outagesMax = 200;

/** Puts together what several probers saw. */
export class Slices {
  readonly #open = new Map<number, OpenSlice>();
  readonly #outages: Outage[] = [];

  /** `surroundings`: as they were then. */
  seen({ slice, failure }: SliceSeen, surroundings: Surroundings): void {
    const before = this.#open.get(slice);
    if (before?.up === false) return;
    if (failure === undefined) this.#open.set(slice, { slice, up: true, failure: "", cause: "unknown" });
    else this.#open.set(slice, { slice, up: false, failure, cause: causeOf(failure, surroundings) });
  }

  /** Slices that are settled by now (ms since 1970), each once, in order. Those that nobody saw are not among them. */
  settled(now: number): readonly SliceJudged[] {
    const before = Math.floor(now / sliceMs) - settleSlices;
    const done = [...this.#open.values()].filter(({ slice }) => slice <= before).sort((a, b) => a.slice - b.slice);
    for (const judged of done) {
      this.#open.delete(judged.slice);
      if (!judged.up) this.#outage(judged);
    }
    return done;
  }

  /** The latest ones, oldest first. */
  get outages(): readonly Outage[] {
    return this.#outages;
  }

  restore(kept: readonly Outage[]): void {
    this.#outages.unshift(...kept);
    this.#outages.splice(0, this.#outages.length - outagesMax);
  }

  #outage({ slice, failure, cause }: OpenSlice): void {
    const [from, to] = [slice * sliceMs, (slice + 1) * sliceMs];
    const last = this.#outages.at(-1);
    if (last !== undefined && last.to >= from) {
      this.#outages[this.#outages.length - 1] = { ...last, to };
      return;
    }
    this.#outages.push({ from, to, cause, failure });
    if (this.#outages.length > outagesMax) this.#outages.shift();
  }
}

/** The nearest that can be told from outside: nodes that are gone, calls turned away, or else what all wait for. */
function causeOf(failure: string, { nodes, serving }: Surroundings): OutageCause {
  if (serving === 0) return "crash";
  if (serving < nodes) return "failover";
  if (failure === "resource_exhausted") return "overload";
  if (failure === "unavailable" || failure === "deadline_exceeded" || failure === "late") return "store";
  return "unknown";
}
