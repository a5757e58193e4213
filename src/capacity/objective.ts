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

/** Behind two digits of a percentile stand its decimals, as is usual: p999 is 99.9. So only p100 is all of them, and p101 or p1000 would be a tenth. */
const form = /^p(100|[1-9]\d|9\d{2,3})=(\S+)$/;

/** Throws `invalid_argument` with a sentence that says how to write it. */
export function parseObjective(text: string): Objective {
  const match = form.exec(text);
  if (match === null) throw refusal(text);
  const digits = match[1]!;
  const quantile = digits === "100" ? 1 : Number(`0.${digits}`);
  const limitMs = parseDuration(match[2]!, "the objective's time");
  if (limitMs === 0) throw refusal(text);
  return { name: `p${digits}`, quantile, limitMs };
}

function refusal(text: string): SynodError {
  const sentence = `${JSON.stringify(text)} is no objective: write the percentile and the time that it may take, such as p99=50ms, p95=200ms or p999=1s, which is of 99.9 %`;
  return new SynodError("invalid_argument", sentence);
}
