/**
 * Calls with repeats. Queries may always be repeated. Commands of keyed services carry an idempotency key, so a
 * repeat finds the first reply. Commands of stateless services have no record: they are repeated only when
 * they certainly did not happen.
 */
import { SynodError } from "../errors.ts";
import type { CallOptions } from "../service/call.ts";
import { parseDuration } from "../values/durations.ts";
import { makeTimedKey } from "../values/ids.ts";
import { encodeJson } from "../values/json.ts";
import { type AttemptOptions, attempt, type Target } from "./request.ts";
import type { RetryBudget } from "./retry-budget.ts";

/** Backoff: full jitter between 0 and a bound that doubles, ms. */
const backoffBaseMs = 50;
const backoffMaxMs = 2_000;
/**
 * How long a request that may be repeated waits for its answer before another connection is tried, ms; doubled
 * each time, so that a slow operation is not asked for again and again. A node that was stopped in the
 * middle keeps its connections open and silent.
 */
const cutBaseMs = 2_000;

export interface CallerOptions {
  readonly base: string;
  readonly fetch: AttemptOptions["fetch"];
  readonly headers: () => Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly budget: RetryBudget;
}

export class Caller {
  readonly #options: CallerOptions;

  constructor(options: CallerOptions) {
    this.#options = options;
  }

  async call(target: Target, input: unknown, { timeout, id }: CallOptions): Promise<unknown> {
    const subject = `the input of ${target.service}.${target.name}`;
    const text = input === undefined ? undefined : encodeJson(input, subject);
    const timeoutMs = timeout === undefined ? this.#options.timeoutMs : parseDuration(timeout, "the timeout of a call");
    const idempotencyKey = target.kind === "command" ? (id ?? newKey()) : undefined;
    const reply = await this.#repeat(target, text, idempotencyKey, performance.now() + timeoutMs);
    return reply === undefined ? undefined : JSON.parse(reply);
  }

  async #repeat(
    target: Target,
    input: string | undefined,
    idempotencyKey: string | undefined,
    deadline: number,
  ): Promise<string | undefined> {
    const { base, fetch, headers, budget } = this.#options;
    const repeatable = target.kind === "query" || target.key !== undefined;
    let unknown = false;
    for (let attempts = 1; ; attempts++) {
      const timeoutMs = Math.max(1, deadline - performance.now());
      const cutMs = repeatable ? Math.min(timeoutMs, cutBaseMs * 2 ** (attempts - 1)) : timeoutMs;
      const attempted = { base, fetch, headers: headers(), target, input, idempotencyKey, timeoutMs, cutMs };
      const result = await attempt(attempted);
      if (result.kind === "value") {
        budget.succeeded();
        return result.text;
      }
      const { error } = result;
      if (error.declared) throw error;
      unknown ||= error.outcome === "unknown" && target.kind === "command";
      const mayRepeat = error.retryable && (repeatable || (!result.cut && error.outcome === "not-happened"));
      if (!mayRepeat || !(await this.#pause(attempts, error, deadline))) throw finalError(error, unknown);
    }
  }

  /** Waits before a repeat; false when there is no time for one. */
  async #pause(attempts: number, { retryAfterMs }: SynodError, deadline: number): Promise<boolean> {
    const bound = Math.min(backoffMaxMs, backoffBaseMs * 2 ** (attempts - 1));
    let waitMs = Math.random() * Math.max(bound, retryAfterMs ?? 0);
    do {
      if (performance.now() + waitMs >= deadline) return false;
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      waitMs = this.#options.budget.take(performance.now());
    } while (waitMs > 0);
    return true;
  }
}

function newKey(): string {
  return makeTimedKey(Date.now(), crypto.getRandomValues(new Uint8Array(10)));
}

/** Once an attempt was cut, no later failure says that the command did not happen (guarantee G7). */
function finalError(error: SynodError, unknown: boolean): SynodError {
  if (!unknown || error.outcome === "unknown") return error;
  const { code, message, retryable, data, retryAfterMs } = error;
  const hint = retryAfterMs === undefined ? {} : { retryAfterMs };
  return new SynodError(code, message, { outcome: "unknown", retryable, data, cause: error, ...hint });
}
