/** One attempt: one HTTP request, and its answer as a value, a declared error or a failure. */
import { isStatusCode, type Outcome, SynodError } from "../errors.ts";
import type { OperationKind } from "../service/model.ts";

export type FetchFunction = (url: string, init: RequestInit) => Promise<Response>;

export interface Target {
  readonly service: string;
  /** Present exactly for keyed services. */
  readonly key: string | undefined;
  readonly name: string;
  readonly kind: OperationKind;
}

export interface AttemptOptions {
  readonly base: string;
  readonly fetch: FetchFunction;
  readonly headers: Readonly<Record<string, string>>;
  readonly target: Target;
  /** JSON text. */
  readonly input: string | undefined;
  readonly idempotencyKey: string | undefined;
  /** How long the system may take, ms. */
  readonly timeoutMs: number;
  /** After this nobody waits for the request itself, ms. */
  readonly cutMs: number;
}

/** `cut`: the request may have been sent and no answer came, so nobody knows. */
export type AttemptResult =
  | { readonly kind: "value"; readonly text: string | undefined }
  | { readonly kind: "error"; readonly error: SynodError; readonly cut: boolean };

export async function attempt(options: AttemptOptions): Promise<AttemptResult> {
  const { base, target, input, timeoutMs, idempotencyKey } = options;
  const path = target.key === undefined ? [target.service] : [target.service, target.key];
  const url = `${base}/${[...path, target.name].map(encodeURIComponent).join("/")}`;
  const headers: Record<string, string> = { ...options.headers, "request-timeout": (timeoutMs / 1_000).toFixed(3) };
  if (input !== undefined) headers["content-type"] = "application/json";
  if (idempotencyKey !== undefined) headers["idempotency-key"] = idempotencyKey;
  try {
    const init = { method: "POST", headers, signal: AbortSignal.timeout(options.cutMs), redirect: "error" } as const;
    const response = await options.fetch(url, input === undefined ? init : { ...init, body: input });
    return resultOf(response, await response.text());
  } catch (cause) {
    return { kind: "error", cut: true, error: cutError(url, cause) };
  }
}

function cutError(url: string, cause: unknown): SynodError {
  const late = (cause as { name?: unknown } | null)?.name === "TimeoutError";
  const reason = late ? "did not answer in time" : "cannot be reached, or the connection was cut";
  return new SynodError("unavailable", `${new URL(url).origin} ${reason}`, { outcome: "unknown", cause });
}

function resultOf(response: Response, text: string): AttemptResult {
  if (response.ok) return { kind: "value", text: response.status === 204 ? undefined : text };
  return { kind: "error", cut: false, error: problemOf(response, text) };
}

interface Problem {
  readonly code?: unknown;
  readonly detail?: unknown;
  readonly outcome?: unknown;
  readonly retryable?: unknown;
  readonly data?: unknown;
  readonly violations?: unknown;
}

function problemOf(response: Response, text: string): SynodError {
  const problem = parsed(text);
  const after = Number(response.headers.get("retry-after") ?? Number.NaN);
  if (typeof problem?.code !== "string") {
    // Not from Synod: a proxy in between, say. Nobody knows how far the request came.
    const message = `the answer had status ${response.status} and was no problem document`;
    return new SynodError("unavailable", message, { outcome: "unknown", retryable: response.status >= 500 });
  }
  const outcome: Outcome = problem.outcome === "not-happened" ? "not-happened" : "unknown";
  const data =
    isStatusCode(problem.code) && problem.violations !== undefined ? { violations: problem.violations } : problem.data;
  return new SynodError(problem.code, typeof problem.detail === "string" ? problem.detail : problem.code, {
    outcome,
    retryable: problem.retryable === true,
    data,
    ...(Number.isFinite(after) && { retryAfterMs: after * 1_000 }),
  });
}

function parsed(text: string): Problem | undefined {
  try {
    return JSON.parse(text) as Problem;
  } catch {
    return undefined;
  }
}
