/**
 * Calls with repeats. Queries may always be repeated. Commands of keyed services carry an idempotency key, so a
 * repeat finds the first reply. Commands of stateless services have no record: they are repeated only when
 * they certainly did not happen.
 */
import { SynodError } from "../errors.ts";
import type { CallOptions } from "../service/call.ts";
import { parseDuration } from "../values/durations.ts";
import { encodeJson } from "../values/json.ts";
import { type Answer, isOutcomeOf } from "./answer.ts";
import type { Platform } from "./platform.ts";
import { type AttemptOptions, attempt, type Target, type Way } from "./request.ts";
import type { RetryBudget } from "./retry-budget.ts";
import { TimedKeys } from "./timed-keys.ts";

/** Backoff: full jitter between 0 and a bound that doubles, ms. */
const backoffBaseMs = 50;
const backoffMaxMs = 2_000;
/**
 * How long a request that may be repeated waits for its answer before another connection is tried, ms; doubled
 * after each such silence, so that a slow operation is not asked for again and again. A node that was stopped in the
 * middle keeps its connections open and silent; one that refuses at once is not silent.
 */
const cutBaseMs = 2_000;
/** How long one request for an outcome waits for it, ms, before another connection is tried. */
const outcomeWaitMs = 5_000;
/** The least time between two such requests, ms, whatever stands between and answers at once. */
const outcomePauseMs = 250;
/** What an `Idempotency-Key` header can carry. */
const idForm = /^[\x21-\x7e]{1,255}$/;

export interface CallerOptions extends Pick<AttemptOptions, "base" | "fetch" | "headers"> {
  /** Of a call that names none. */
  readonly timeoutMs: number;
  readonly budget: RetryBudget;
  readonly platform: Platform;
}

/** One call, with all its attempts. */
interface Request extends Pick<AttemptOptions, "target" | "input" | "way"> {
  /** The caller's own idempotency key. */
  readonly id: string | undefined;
  readonly deadline: number;
}

export class Caller {
  readonly #options: CallerOptions;
  readonly #keys: TimedKeys;

  constructor(options: CallerOptions) {
    this.#options = options;
    this.#keys = new TimedKeys(options.platform);
  }

  /** Resolves with the output. */
  call(target: Target, input: unknown, options: CallOptions): Promise<unknown> {
    return this.#request({ kind: "call" }, target, input, options);
  }

  /** Resolves with the id of the outcome, when the durable command is accepted. */
  async send(target: Target, input: unknown, options: CallOptions): Promise<string> {
    return (await this.#request({ kind: "send" }, target, input, options)) as string;
  }

  /** Waits for the outcome of a durable command; starts nothing. How the asking fails says nothing about the command. */
  async outcome(target: Target, id: string, { timeout }: Pick<CallOptions, "timeout">): Promise<unknown> {
    const name = nameOf(target);
    if (typeof id !== "string" || !isOutcomeOf(id, target)) {
      throw new SynodError("invalid_argument", `${JSON.stringify(id)} is not the id of an outcome of ${name}`);
    }
    const deadline = this.#deadline(name, timeout);
    const request: Request = { target, way: { kind: "outcome", id }, input: undefined, id: undefined, deadline };
    for (let failures = 0; ; ) {
      const asked = this.#options.platform.monotonic();
      const answer = await this.#attempt(request, undefined, null, outcomeWaitMs);
      if (answer.kind === "value") return answer.value;
      if (answer.kind === "accepted") {
        failures = 0;
        if (!(await this.#wait(asked + outcomePauseMs, deadline))) throw notFinished(name);
        continue;
      }
      const { error } = answer;
      if (error.declared) throw error;
      failures += 1;
      // A node whose own time for this request is over has merely not heard of the end yet.
      const mayRepeat = error.retryable || error.code === "deadline_exceeded";
      if (!mayRepeat || !(await this.#pause(failures, error, deadline))) throw saidAnew(error, "unknown");
    }
  }

  async #request(way: Way, target: Target, input: unknown, { timeout, id }: CallOptions): Promise<unknown> {
    const name = nameOf(target);
    const text = input === undefined ? undefined : encodeJson(input, `the input of ${name}`);
    const deadline = this.#deadline(name, timeout);
    if (id !== undefined && !idForm.test(id)) {
      const message = `the id of ${name} must be 1 to 255 visible ASCII characters, without spaces`;
      throw new SynodError("invalid_argument", message);
    }
    return await this.#repeat({ target, way, input: text, id, deadline });
  }

  #deadline(name: string, timeout: CallOptions["timeout"]): number {
    const timeoutMs =
      timeout === undefined ? this.#options.timeoutMs : parseDuration(timeout, `the timeout of ${name}`);
    if (timeoutMs === 0) throw new SynodError("invalid_argument", `the timeout of ${name} must be more than 0`);
    return this.#options.platform.monotonic() + timeoutMs;
  }

  async #repeat(request: Request): Promise<unknown> {
    const { target, id } = request;
    const isCommand = target.operation.kind === "command";
    const repeatable = !isCommand || target.key !== undefined;
    let idempotencyKey = isCommand ? (id ?? this.#keys.make()) : undefined;
    let unknown = false;
    let silences = 0;
    for (let attempts = 1; ; attempts++) {
      const answer = await this.#attempt(request, idempotencyKey, repeatable ? silences : null);
      const corrected = answer.time !== undefined && this.#keys.learn(answer.time);
      if (answer.kind !== "error" || answer.error.declared) this.#options.budget.answered();
      if (answer.kind === "value") return answer.value;
      if (answer.kind === "accepted") return answer.id;
      const { error } = answer;
      if (error.declared) throw error;
      if (answer.late) silences += 1;
      if (corrected && id === undefined && attempts === 1 && isRefusedKey(error)) {
        // Nobody else has this key: it may have been refused for the time in it alone.
        idempotencyKey &&= this.#keys.make();
        if (this.#isBefore(request.deadline)) continue;
      }
      unknown ||= isCommand && error.outcome === "unknown";
      const mayRepeat = error.retryable && (repeatable || error.outcome === "not-happened");
      if (!mayRepeat || !(await this.#pause(attempts, error, request.deadline))) {
        throw finalError(error, { attempts, outcome: unknown ? "unknown" : "not-happened" });
      }
    }
  }

  /** `silences`: how often no answer came yet to a call that may be repeated while one is missing; null for other calls. */
  #attempt(
    { target, way, input, deadline }: Request,
    idempotencyKey: string | undefined,
    silences: number | null,
    waitMaxMs: number = Number.POSITIVE_INFINITY,
  ): Promise<Answer> {
    const { base, fetch, headers, platform } = this.#options;
    const remainingMs = Math.min(waitMaxMs, Math.max(0, deadline - platform.monotonic()));
    const cutMs = silences === null ? remainingMs : Math.min(remainingMs, cutBaseMs * 2 ** silences);
    return attempt({ base, fetch, headers, platform, target, way, input, idempotencyKey, remainingMs, cutMs });
  }

  /** Waits until then; false when the deadline comes first. */
  async #wait(until: number, deadline: number): Promise<boolean> {
    const { platform } = this.#options;
    const waitMs = Math.min(until, deadline) - platform.monotonic();
    if (waitMs > 0) await new Promise<void>((resolve) => platform.after(waitMs, resolve));
    return this.#isBefore(deadline);
  }

  /** Waits before a repeat; false when there is no time for one. */
  async #pause(attempts: number, { retryAfterMs = 0 }: SynodError, deadline: number): Promise<boolean> {
    const { platform, budget } = this.#options;
    const bound = Math.min(backoffMaxMs, backoffBaseMs * 2 ** (attempts - 1));
    const waitMs = retryAfterMs + platform.random() * bound;
    if (platform.monotonic() + waitMs >= deadline) return false;
    await new Promise<void>((resolve) => platform.after(waitMs, resolve));
    return (await budget.take(deadline)) && this.#isBefore(deadline);
  }

  #isBefore(deadline: number): boolean {
    return this.#options.platform.monotonic() < deadline;
  }
}

function nameOf({ service, name }: Target): string {
  return `${service}.${name}`;
}

function notFinished(name: string): SynodError {
  const message = `${name} has not finished in this time: it goes on, and its outcome can be asked for again`;
  return new SynodError("deadline_exceeded", message, { outcome: "unknown", retryable: true });
}

/** A timed key that is too old or lies in the future, among others; the call did not happen. */
function isRefusedKey({ code, outcome }: SynodError): boolean {
  return outcome === "not-happened" && (code === "invalid_argument" || code === "failed_precondition");
}

/**
 * Once an attempt was cut, no later failure says that the command did not happen (guarantee G7). A query has no
 * effect that could be in doubt.
 */
function finalError(
  error: SynodError,
  { attempts, outcome }: { attempts: number; outcome: SynodError["outcome"] },
): SynodError {
  const doubt = outcome !== error.outcome && outcome === "unknown" ? ", of which an earlier one may have happened" : "";
  const message = attempts === 1 ? error.message : `${error.message} (the last of ${attempts} attempts${doubt})`;
  return saidAnew(error, outcome, message);
}

/** The same error with another outcome, or in other words. */
function saidAnew(error: SynodError, outcome: SynodError["outcome"], message: string = error.message): SynodError {
  if (outcome === error.outcome && message === error.message) return error;
  const { code, retryable, data, retryAfterMs } = error;
  const hint = retryAfterMs === undefined ? {} : { retryAfterMs };
  return new SynodError(code, message, { outcome, retryable, data, cause: error, ...hint });
}
