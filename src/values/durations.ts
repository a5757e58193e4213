/** Durations as people write them. Inside Synod a duration is a number of milliseconds. */
import { SynodError } from "../errors.ts";

/**
 * Milliseconds, or a number with a unit: `"250ms"`, `"5s"`, `"5m"`, `"1h"`, `"2d"`.
 *
 * @example
 * ```ts
 * import type { Duration } from "synod";
 *
 * const timeouts: Duration[] = [250, "250ms", "1.5s"];
 * console.assert(timeouts.length === 3);
 * ```
 */
export type Duration = number | string;

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const form = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
/** 100 years: longer is a slip, and sums with instants stay exact. */
const durationMaxMs = 100 * 365 * 86_400_000;

/** A duration in ms, which is 0 or more. `subject` names it in messages ("the timeout"). */
export function parseDuration(value: Duration, subject: string): number {
  const ms = typeof value === "number" ? value : fromText(value);
  if (ms >= 0 && ms <= durationMaxMs) return ms;
  const given = typeof value === "string" ? JSON.stringify(value) : String(value);
  throw new SynodError(
    "invalid_argument",
    `${subject} is ${given}, and must be milliseconds from 0 up to 100 years, or a text such as "250ms", "5s", "5m", "1h" or "2d"`,
  );
}

function fromText(text: unknown): number {
  const match = typeof text === "string" ? form.exec(text) : null;
  return match ? Number(match[1]) * (unitMs[match[2]!] ?? Number.NaN) : Number.NaN;
}
