/**
 * From an HTTP answer to what it says. What Synod did not write (a proxy's error page, a login page with status
 * 200, a redirect) is never taken for a value or for a definite failure: nobody knows how far the request came.
 */
import { isStatusCode, type StatusCode, SynodError } from "../errors.ts";
import { decodeJson } from "../values/json.ts";
import type { Target, Way } from "./request.ts";

/** The answer to one attempt. `time`: what time it is by the system's clock, ms since 1970. */
export type Answer =
  | { readonly kind: "value"; readonly value: unknown; readonly time?: number }
  /** A durable command goes on; `id` is what its outcome is asked for by. */
  | { readonly kind: "accepted"; readonly id: string; readonly time?: number }
  /** `late`: there was no answer while somebody waited for it. */
  | { readonly kind: "error"; readonly error: SynodError; readonly time?: number; readonly late?: true };

/** The status of every declared error. */
const declaredStatus = 422;

/** Where a system keeps what became of durable commands. */
export const outcomesPath = "/outcomes/";

export function answerOf(response: Response, text: string, target: Target, way: Way["kind"]): Answer {
  if (response.status === 202 && way !== "call") return acceptedOf(response, target);
  // Only a system that does not know of `Prefer: respond-async` would answer a send with an output.
  if (way === "send" && response.ok) return { kind: "error", error: foreignError(response) };
  if (response.status === 204) return { kind: "value", value: undefined, ...timeOf(response) };
  try {
    if (response.status === 200 && hasType(response, "application/json")) {
      const value = decodeJson(text, `the output of ${nameOf(target)}`);
      return { kind: "value", value, ...timeOf(response) };
    }
    const problem = hasType(response, "application/problem+json") ? decodeJson(text, "the problem") : null;
    if (isProblem(problem)) return { kind: "error", error: problemOf(response, problem, target), ...timeOf(response) };
  } catch (cause) {
    return { kind: "error", error: foreignError(response, cause) };
  }
  return { kind: "error", error: foreignError(response) };
}

function acceptedOf(response: Response, target: Target): Answer {
  const location = response.headers.get("location") ?? "";
  const id = location.slice(location.lastIndexOf(outcomesPath) + outcomesPath.length);
  if (!location.includes(outcomesPath) || !isOutcomeOf(id, target)) {
    return { kind: "error", error: foreignError(response) };
  }
  return { kind: "accepted", id, ...timeOf(response) };
}

/** Whether the id is that of an outcome of this operation: it names what was called. */
export function isOutcomeOf(id: string, { service, name }: Pick<Target, "service" | "name">): boolean {
  try {
    const text = atob(id.replaceAll("-", "+").replaceAll("_", "/"));
    const parts: unknown = JSON.parse(new TextDecoder().decode(Uint8Array.from(text, (byte) => byte.charCodeAt(0))));
    return Array.isArray(parts) && parts[0] === service && parts[2] === name;
  } catch {
    return false;
  }
}

/** A problem document of Synod (RFC 9457). */
interface Problem {
  readonly code: string;
  readonly detail?: unknown;
  readonly outcome?: unknown;
  readonly retryable?: unknown;
  readonly retryAfterMs?: unknown;
  readonly data?: unknown;
  readonly violations?: unknown;
}

function isProblem(value: unknown): value is Problem {
  return typeof value === "object" && value !== null && "code" in value && typeof value.code === "string";
}

function problemOf(response: Response, problem: Problem, target: Target): SynodError {
  const { code, violations } = problem;
  const isStatus = isStatusCode(code);
  const error = new SynodError(code, typeof problem.detail === "string" ? problem.detail : code, {
    outcome: problem.outcome === "not-happened" ? "not-happened" : "unknown",
    retryable: problem.retryable === true,
    data: isStatus && violations !== undefined ? { violations } : problem.data,
    ...retryAfterOf(response, problem),
  });
  const isDeclared = response.status === declaredStatus && Object.hasOwn(target.operation.errors, code);
  if (isStatus || isDeclared) return error;
  const message = `${nameOf(target)} answered with ${code}, which its interface here does not declare: ${error.message}`;
  return new SynodError("unknown", message, { outcome: error.outcome, cause: error });
}

/** To the millisecond in the document, in whole seconds or as a date in the header. */
function retryAfterOf({ headers }: Response, { retryAfterMs }: Pick<Problem, "retryAfterMs">) {
  const header = headers.get("retry-after");
  const seconds = Number(header ?? Number.NaN);
  const told = Number.isNaN(seconds)
    ? Date.parse(header ?? "") - Date.parse(headers.get("date") ?? "")
    : seconds * 1_000;
  const ms = typeof retryAfterMs === "number" ? retryAfterMs : told;
  return Number.isFinite(ms) ? { retryAfterMs: Math.max(0, ms) } : {};
}

/**
 * As gRPC reads answers that are not its own
 * (https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md), with 408 and all above 501 as
 * "unavailable": proxies have many numbers for that.
 */
const foreignCodes: Readonly<Record<number, StatusCode>> = {
  400: "internal",
  401: "unauthenticated",
  403: "permission_denied",
  404: "unimplemented",
  408: "unavailable",
  429: "unavailable",
};

function foreignCode(status: number): StatusCode {
  return foreignCodes[status] ?? (status > 501 ? "unavailable" : "unknown");
}

function foreignError(response: Response, cause?: unknown): SynodError {
  const { status, headers } = response;
  // Browsers hide redirects: type `opaqueredirect` and status 0.
  const isRedirect = response.type === "opaqueredirect" || (status >= 300 && status < 400);
  const said = isRedirect ? `a redirect to ${headers.get("location") ?? "elsewhere"}` : `status ${status}`;
  const advice = isRedirect
    ? "connect to where the system itself answers"
    : "is this the address of the system, and what stands between?";
  return new SynodError(foreignCode(status), `the answer, ${said}, does not come from Synod: ${advice}`, {
    outcome: "unknown",
    cause,
    ...retryAfterOf(response, {}),
  });
}

function timeOf({ headers }: Response): { time?: number } {
  const time = Date.parse(headers.get("date") ?? "");
  return Number.isNaN(time) ? {} : { time };
}

function hasType({ headers }: Response, mediaType: string): boolean {
  return headers.get("content-type")?.split(";")[0]?.trim().toLowerCase() === mediaType;
}

function nameOf({ service, name }: Target): string {
  return `${service}.${name}`;
}
