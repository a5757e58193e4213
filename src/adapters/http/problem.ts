/**
 * Problems: how every error leaves over HTTP, after RFC 9457 (`application/problem+json`).
 *
 * A problem says what went wrong (`code`, one of `src/errors.ts` or a declared name) and whether the
 * operation may have happened all the same (`outcome`). Nothing that is an error leaves in another form,
 * whether it comes from a service, from this adapter, from Fastify or from Node's HTTP parser.
 */
import { STATUS_CODES } from "node:http";
import { isStatusCode, type Outcome, statusCodes, type Violation } from "../../errors.ts";
import type { GatewayError } from "../../ports/gateway.ts";

const problemMediaType = "application/problem+json; charset=utf-8";

/** The status of every declared error: the request was understood, and the service says no. */
const declaredStatus = 422;

export interface Problem {
  readonly status: number;
  readonly code: string;
  /** One sentence for people. */
  readonly detail: string;
  readonly outcome: Outcome;
  readonly retryable: boolean;
  readonly retryAfterMs?: number | undefined;
  /** Data of a declared error, as JSON text. */
  readonly data?: string | undefined;
  readonly violations?: readonly Violation[] | undefined;
  /** Headers of the answer, besides what every problem has. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** A request that is refused before a service hears of it; so it certainly did not happen. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly problem: Problem;

  constructor(status: number, code: string, detail: string, more: Partial<Problem> = {}) {
    super(detail);
    this.problem = { status, code, detail, outcome: "not-happened", retryable: false, ...more };
  }
}

/** The commonest refusal: the request is not well formed. */
export function badRequest(detail: string): Refusal {
  return new Refusal(400, "invalid_argument", detail);
}

/** An error of the gateway, as a problem. */
export function problemOf(error: GatewayError): Problem {
  const { code, message: detail, outcome, retryable, retryAfterMs, data, violations } = error;
  return { status: statusOf(error), code, detail, outcome, retryable, retryAfterMs, data, violations };
}

function statusOf({ code, declared }: GatewayError): number {
  if (declared) return declaredStatus;
  return isStatusCode(code) ? statusCodes[code] : statusCodes.unknown;
}

/** The body of a problem. The data is put in as the text that it is: it was encoded once, where it was made. */
export function problemText(problem: Problem): string {
  const { status, code, detail, outcome, retryable, retryAfterMs, violations, data } = problem;
  const title = status === statusCodes.cancelled ? "Client Closed Request" : STATUS_CODES[status];
  const text = JSON.stringify({
    type: "about:blank",
    title,
    status,
    detail,
    code,
    outcome,
    retryable,
    retryAfterMs,
    violations,
  });
  return data === undefined ? text : `${text.slice(0, -1)},"data":${data}}`;
}

/** A whole answer, for where there is no response object of Node's to write it. */
export function rawProblem(problem: Problem, headers: Readonly<Record<string, string>>): string {
  const text = problemText(problem);
  let head = `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ""}\r\n`;
  for (const name in headers) head += `${name}: ${headers[name]}\r\n`;
  return `${head}content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
}

/** The headers of a problem, content type included. */
export function problemHeaders({ retryAfterMs, headers }: Problem): Record<string, string> {
  const retryAfter = retryAfterMs === undefined ? {} : { "retry-after": String(Math.ceil(retryAfterMs / 1_000)) };
  return { "content-type": problemMediaType, "cache-control": "no-store", ...retryAfter, ...headers };
}
