/** One attempt: one HTTP request, and its answer as a value, a declared error or a failure. */
import { SynodError } from "../errors.ts";
import type { AnyOperation } from "../service/model.ts";
import { type Answer, answerOf, outcomesPath } from "./answer.ts";
import type { Platform } from "./platform.ts";

/** The part of `fetch` that the client library uses. */
export type FetchFunction = (url: string, init: RequestInit) => Promise<Response>;

/** What is called. */
export interface Target {
  readonly service: string;
  /** Present exactly for keyed services. */
  readonly key: string | undefined;
  readonly name: string;
  readonly operation: AnyOperation;
}

/** `call`: for the output. `send`: a durable command, until it is accepted. `outcome`: what became of one. */
export type Way = { readonly kind: "call" | "send" } | { readonly kind: "outcome"; readonly id: string };

export interface AttemptOptions {
  /** URL of the system, without a slash at its end. */
  readonly base: string;
  readonly fetch: FetchFunction;
  readonly headers: () => Readonly<Record<string, string>>;
  readonly platform: Platform;
  readonly target: Target;
  readonly way: Way;
  /** JSON text. */
  readonly input: string | undefined;
  readonly idempotencyKey: string | undefined;
  /** Until the call's deadline, ms. */
  readonly remainingMs: number;
  /** After this nobody waits for the answer to this request, ms; no longer than `remainingMs`. */
  readonly cutMs: number;
}

/** The system is told so much less than what is left, so that its own word on what happened comes in time. */
const returnMaxMs = 100;
const returnShare = 0.1;

/** Never rejects. */
export async function attempt(options: AttemptOptions): Promise<Answer> {
  const headers = headersOf(options);
  if (headers instanceof SynodError) return { kind: "error", error: headers };
  const cut = new AbortController();
  const { promise: late, reject } = Promise.withResolvers<never>();
  const cancel = options.platform.after(options.cutMs, () => {
    reject(new Late());
    cut.abort();
  });
  try {
    // Raced, because a `fetch` of the user's own may not listen to the signal.
    return await Promise.race([exchange(options, headers, cut.signal), late]);
  } catch (cause) {
    if (cause instanceof Late) return { kind: "error", error: lateError(options), late: true };
    return { kind: "error", error: cutError(options, cause) };
  } finally {
    cancel();
  }
}

/** The time of an attempt is over. */
class Late extends Error {}

async function exchange(options: AttemptOptions, headers: Headers, signal: AbortSignal): Promise<Answer> {
  const { fetch, target, input, way } = options;
  // No redirect is followed: it would make another request of a POST, or send it where nobody meant it to go.
  const method = way.kind === "outcome" ? "GET" : "POST";
  const init = { method, headers, signal, redirect: "manual" } as const;
  const response = await fetch(urlOf(options), input === undefined ? init : { ...init, body: input });
  return answerOf(response, await response.text(), target, way.kind);
}

function urlOf({ base, target: { service, key, name }, way }: AttemptOptions): string {
  if (way.kind === "outcome") return `${base}${outcomesPath}${way.id}`;
  const path = key === undefined ? [service, name] : [service, key, name];
  return `${base}/${path.map(encodeURIComponent).join("/")}`;
}

/** The user's headers and the client's own, which go before; or why there are none. */
function headersOf({ headers, way, input, idempotencyKey, remainingMs }: AttemptOptions): Headers | SynodError {
  try {
    const all = new Headers(headers());
    const toldMs = Math.max(1, remainingMs - Math.min(returnMaxMs, remainingMs * returnShare));
    all.set("request-timeout", (toldMs / 1_000).toFixed(3));
    if (way.kind === "send") all.set("prefer", "respond-async");
    if (input !== undefined) all.set("content-type", "application/json");
    if (idempotencyKey !== undefined) all.set("idempotency-key", idempotencyKey);
    return all;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return new SynodError("invalid_argument", `nothing was sent, for want of headers: ${reason}`, { cause });
  }
}

function lateError({ base, cutMs, remainingMs }: AttemptOptions): SynodError {
  const message = `${originOf(base)} did not answer within ${seconds(cutMs)}`;
  const code = cutMs < remainingMs ? "unavailable" : "deadline_exceeded";
  return new SynodError(code, message, { outcome: "unknown", retryable: true });
}

function seconds(ms: number): string {
  return `${Number((ms / 1_000).toFixed(3))} s`;
}

/** By these Node tells that there was no connection, so that nothing can have been sent. */
const notConnected: ReadonlySet<unknown> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

function cutError({ base }: AttemptOptions, cause: unknown): SynodError {
  // Node's fetch fails with the same words whatever happened, and says in its cause what did.
  const reason = (cause as { cause?: { code?: unknown; message?: unknown } } | null)?.cause;
  if (notConnected.has(reason?.code)) {
    return new SynodError("unavailable", `there is no connection to ${originOf(base)}: is the system running?`, {
      cause,
    });
  }
  const why = typeof reason?.message === "string" ? ` (${reason.message})` : "";
  const message = `the connection to ${originOf(base)} was cut, or there was none${why}`;
  return new SynodError("unavailable", message, { outcome: "unknown", cause });
}

function originOf(base: string): string {
  return new URL(base).origin;
}
