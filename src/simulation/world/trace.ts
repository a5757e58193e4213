/**
 * The trace of a run: everything that happened in it, one line each, in order. Two runs of one seed give the same
 * lines, byte for byte; the hash over all lines is how that is shown without keeping them (guarantee G10).
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

/** Lines that are hashed at a time. */
const gatheredLinesMax = 512;

export class Trace {
  readonly #now: () => number;
  readonly #keep: boolean;
  readonly #hash: Hash = createHash("sha256");
  #gathered: string[] = [];
  /** Empty unless the lines are kept. */
  readonly lines: TraceLine[] = [];
  length = 0;

  /** `now` in milliseconds since the world began. */
  constructor(now: () => number, keep: boolean) {
    this.#now = now;
    this.#keep = keep;
  }

  add(where: string, what: string, text: string): void {
    const line = { at: this.#now(), where, what, text };
    this.length++;
    this.#gathered.push(formatTraceLine(line));
    if (this.#gathered.length >= gatheredLinesMax) this.#flush();
    if (this.#keep) this.lines.push(line);
  }

  /** The hash over all lines so far, in hexadecimal digits. */
  digest(): string {
    this.#flush();
    return this.#hash.copy().digest("hex");
  }

  #flush(): void {
    if (this.#gathered.length === 0) return;
    this.#hash.update(`${this.#gathered.join("\n")}\n`);
    this.#gathered = [];
  }
}

export function formatTraceLine({ at, where, what, text }: TraceLine): string {
  return `${at.toFixed(3)} ${where} ${what} ${text}`;
}
