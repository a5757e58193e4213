/**
 * Histories in files: the one place of the checking side that does I/O.
 *
 * Each event is written before `append` returns, so that it is with the operating system even if the test
 * that records it is killed in the next instant, and lines of several clients never mix.
 */
import { appendFileSync, closeSync, fsyncSync, openSync, readFileSync } from "node:fs";
import { SynodError } from "../errors.ts";
import { formatEvent, type HistoryEvent, parseHistory } from "./history.ts";

/** A history that is being written. */
export class HistoryFile {
  readonly path: string;
  #file: number | undefined;

  /** Starts a new history; a file that exists already is left alone and refused. */
  constructor(path: string) {
    this.path = path;
    try {
      this.#file = openSync(path, "ax");
    } catch (cause) {
      throw new SynodError("failed_precondition", `cannot start the history ${path}: ${messageOf(cause)}`, { cause });
    }
  }

  append(event: HistoryEvent): void {
    appendFileSync(this.#open(), `${formatEvent(event)}\n`);
  }

  /** Returns when everything appended so far is on the disk. */
  flush(): void {
    fsyncSync(this.#open());
  }

  close(): void {
    if (this.#file === undefined) return;
    this.flush();
    closeSync(this.#file);
    this.#file = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #open(): number {
    if (this.#file === undefined) throw new SynodError("failed_precondition", `the history ${this.path} is closed`);
    return this.#file;
  }
}

/** Reads a history back; messages name the file and the line. */
export function readHistoryFile(path: string): HistoryEvent[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new SynodError("not_found", `cannot read the history ${path}: ${messageOf(cause)}`, { cause });
  }
  const lines = text.split("\n");
  // A whole history ends with a line break; what stands after the last one is a line that was cut.
  if (lines.at(-1) === "") lines.pop();
  return parseHistory(lines, path);
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
