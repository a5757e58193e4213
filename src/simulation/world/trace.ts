/**
 * The trace of a run: everything that happened in it, one line each, in order. Two runs of one seed give the same
 * lines, byte for byte; the hash over all lines is how that is shown without keeping them (guarantee G10).
 *
 * A run writes tens of thousands of lines, and hardly any is ever read: what is costly to put into words may have words
 * of its own, which are made only where lines are kept; the hash has something shorter that says as much.
 */
import { createHash, type Hash } from "node:crypto";

export interface TraceLine {
  /** Milliseconds since the world began. */
  readonly at: number;
  /** Where it happened: a node, `store`, `client-3`, `world`. */
  readonly where: string;
  /** `message`, `commit`, `fault`, `call`, `log`, … */
  readonly what: string;
  readonly text: string;
}

/**
 * Something that went from one place to another: bytes of a link, a request to the store, an answer to a client. Kept
 * for pictures only: a passage ends in another event than it began, so it is no line, and the hash knows nothing of it.
 */
export interface Passage {
  readonly from: string;
  readonly to: string;
  readonly sentAt: number;
  /** Undefined while it is on its way, and for ever when it got lost. */
  arrivedAt: number | undefined;
  /** How many lines the trace had when it was sent, and when it arrived. */
  readonly sentAfter: number;
  arrivedAfter: number;
  /** `call account/a.deposit`; several when bytes of several messages went together. */
  says: readonly string[];
  /** Goes on all the time whether or not anybody asks for anything: pings, renewals. */
  minor: boolean;
}

/** Lines that are hashed at a time. */
const gatheredLinesMax = 512;

export class Trace {
  readonly #nowUs: () => number;
  readonly #keep: boolean;
  readonly #hash: Hash = createHash("sha256");
  #gathered = "";
  /** Empty unless the lines are kept. */
  readonly lines: TraceLine[] = [];
  /** In the order in which they were sent; empty unless the lines are kept. */
  readonly passages: Passage[] = [];
  length = 0;

  /** `nowUs` in microseconds since the world began. */
  constructor(nowUs: () => number, keep: boolean) {
    this.#nowUs = nowUs;
    this.#keep = keep;
  }

  /** `text` must tell two runs apart; `words`, if any, take its place in a line that is kept. */
  add(where: string, what: string, text: string, words?: () => string): void {
    const nowUs = this.#nowUs();
    this.length++;
    this.#gathered += `${nowUs} ${where} ${what} ${text}\n`;
    if (this.length % gatheredLinesMax === 0) this.#flush();
    if (!this.#keep) return;
    this.lines.push({ at: nowUs / 1_000, where, what, text: words?.() ?? text });
  }

  /** Whether anybody will look at it. */
  get kept(): boolean {
    return this.#keep;
  }

  /** Something leaves; undefined when nobody will look. Whoever sees it arrive says so with {@link arrived}. */
  sent(from: string, to: string, says: readonly string[] = [], minor: boolean = false): Passage | undefined {
    if (!this.#keep) return undefined;
    const sentAt = this.#nowUs() / 1_000;
    const sentAfter = this.length;
    const passage = { from, to, sentAt, arrivedAt: undefined, sentAfter, arrivedAfter: 0, says, minor };
    this.passages.push(passage);
    return passage;
  }

  arrived(passage: Passage | undefined): void {
    if (passage === undefined) return;
    passage.arrivedAt = this.#nowUs() / 1_000;
    passage.arrivedAfter = this.length;
  }

  /** A line that may differ from machine to machine, such as what user code prints: kept, and not hashed. */
  aside(where: string, what: string, text: string): void {
    this.length++;
    if (this.#keep) this.lines.push({ at: this.#nowUs() / 1_000, where, what, text });
  }

  /** The hash over all lines so far, in hexadecimal digits. */
  digest(): string {
    this.#flush();
    return this.#hash.copy().digest("hex");
  }

  #flush(): void {
    this.#hash.update(this.#gathered);
    this.#gathered = "";
  }
}

export function formatTraceLine({ at, where, what, text }: TraceLine): string {
  return `${at.toFixed(3)} ${where} ${what} ${text}`;
}
