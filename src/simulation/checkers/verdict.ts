/** What every checker answers, and how it puts operations into words. */
import type { Operation, Reply } from "../operations.ts";

/** One way in which a history breaks a promise. */
export interface Finding {
  /** The entity, or null when it is about several. */
  readonly key: string | null;
  /** The explanation for people; may have several lines. */
  readonly text: string;
  /** The operations that contradict each other, where a checker can tell. */
  readonly operations?: readonly Operation[];
}

/**
 * `holds`: checked, and true. `broken`: the findings say where. `undecided`: the checker gave up at a bound;
 * whoever asked must treat that as a failure, for nothing has been shown.
 */
export interface Verdict {
  /** The promise in words: "linearizable". */
  readonly promise: string;
  readonly status: "holds" | "broken" | "undecided";
  /** How many operations were looked at. A check of nothing shows nothing. */
  readonly operations: number;
  /** The first of them, up to {@link findingsMax}. */
  readonly findings: readonly Finding[];
}

/** Findings that one verdict lists. */
export const findingsMax = 20;

/** Gathers findings: all count, the first are kept. */
export class Findings {
  readonly #kept: Finding[] = [];

  add(key: string | null, text: string): void {
    if (this.#kept.length < findingsMax) this.#kept.push({ key, text });
  }

  verdict(promise: string, operations: number): Verdict {
    return { promise, status: this.#kept.length === 0 ? "holds" : "broken", operations, findings: this.#kept };
  }
}

/** A verdict as text, for the output of a test or a tool. */
export function formatVerdict(verdict: Verdict): string {
  const head = `${verdict.promise}: ${verdict.status} (${verdict.operations} operations checked)`;
  return [head, ...verdict.findings.map((finding) => indent(finding.text))].join("\n");
}

/** An operation in words: `write 1 → ok`. */
export function describe(operation: Operation, reply: Reply | undefined = operation.reply): string {
  const input = operation.value === undefined || operation.value === null ? "" : ` ${short(operation.value)}`;
  return `${operation.f}${input} → ${describeReply(reply, operation.outcome)}`;
}

/** The same with where it stands in the history: `write 1 → ok (process 3, events 4 to 7)`. */
export function locate(operation: Operation): string {
  const end = Number.isFinite(operation.completedAt) ? `to ${operation.completedAt}` : "on";
  return `${describe(operation)} (process ${operation.process}, events ${operation.invokedAt} ${end})`;
}

function describeReply(reply: Reply | undefined, outcome: Operation["outcome"]): string {
  if (reply === undefined) return outcome === "fail" ? "did not happen" : "unknown";
  if (reply.error !== undefined) return `error ${reply.error}`;
  return reply.value === undefined || reply.value === null ? "ok" : short(reply.value);
}

const shortLengthMax = 60;

/** A value as JSON text, its middle left out when it is long. */
export function short(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  if (text.length <= shortLengthMax) return text;
  const half = Math.floor(shortLengthMax / 2) - 2;
  return `${text.slice(0, half)} … ${text.slice(-half)}`;
}

export function indent(text: string): string {
  return text.replaceAll(/^/gm, "  ");
}
