/**
 * Remembers which runs kept the promise. A run is the same every time, and whoever leaves out now entities, now clients,
 * now operations comes to the same few of them by several ways.
 */
import { createHash } from "node:crypto";
import type { Case } from "../case.ts";

/** More than a shrinking of an hour tries. */
const rememberedLengthMax = 200_000;

export class Tried {
  /** By the hash of the case: until when it was run, ms since the world began. */
  readonly #until = new Map<string, number>();

  /** Whether this case was run until that instant, or longer, and kept the promise. */
  has(one: Case, untilMs: number): boolean {
    return (this.#until.get(nameOf(one)) ?? Number.NEGATIVE_INFINITY) >= untilMs;
  }

  add(one: Case, untilMs: number): void {
    if (this.#until.size < rememberedLengthMax) this.#until.set(nameOf(one), untilMs);
  }
}

function nameOf({ seed, timing, fairWeather, durationMs, plan, operations }: Case): string {
  const text = JSON.stringify([seed, timing, fairWeather, durationMs, plan, operations]);
  return createHash("sha256").update(text).digest("base64");
}
