/** What is promised of response times, and has to hold for a load to count as carried: `p99=50ms`. */
import { SynodError } from "../errors.ts";
import { parseDuration } from "../values/durations.ts";

export interface Objective {
  /** `p99`. */
  readonly name: string;
  /** 0.99. */
  readonly quantile: number;
  readonly limitMs: number;
}

const form = /^p(\d{2,4})=(\S+)$/;

/** Throws `invalid_argument` with a sentence that says how to write it. */
export function parseObjective(text: string): Objective {
  const match = form.exec(text);
  const digits = match?.[1] ?? "";
  const quantile = Number(`0.${digits}`);
  if (match === null || !(quantile > 0)) throw refusal(text);
  const limitMs = parseDuration(match[2]!, "the objective's time");
  if (limitMs === 0) throw refusal(text);
  return { name: `p${digits}`, quantile, limitMs };
}

function refusal(text: string): SynodError {
  const sentence = `${JSON.stringify(text)} is no objective: write the percentile and the time that it may take, such as p99=50ms, p95=200ms or p999=1s`;
  return new SynodError("invalid_argument", sentence);
}
