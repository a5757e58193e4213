/**
 * From a request to a call. The head decides first: a request that goes nowhere or carries a header that
 * cannot be meant is refused before its body is read. The body stays text; the gateway judges it, so that
 * what the caller sent is what the owner parses.
 */
import { isUtf8 } from "node:buffer";
import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { GatewayCall, OperationDescription } from "../../ports/gateway.ts";
import type { GoneSignal } from "../../values/gone.ts";
import type { Priority } from "../../values/priority.ts";
import {
  announcesBody,
  declaresJson,
  idempotencyKey,
  prefersAsync,
  priority,
  quote,
  requestTimeoutMs,
  traceparent,
} from "./headers.ts";
import { badRequest, Refusal } from "./problem.ts";
import { inputOf, methodsOf, type Routes } from "./routes.ts";

/** What the head of a request says about its call. */
export interface CallHead {
  readonly service: string;
  readonly key: string | undefined;
  readonly operation: OperationDescription;
  /** The input of a query asked by GET. */
  readonly queryInput: string | undefined;
  readonly idempotencyKey: string | undefined;
  readonly priority: Priority | undefined;
  readonly timeoutMs: number | undefined;
  /** When the head had arrived, in ms of `performance.now()`: the timeout counts from here. */
  readonly receivedAt: number;
  readonly traceparent: string | undefined;
  /** Of a durable command: its acceptance is answer enough. */
  readonly async: boolean;
}

/** Reads the head, which arrived at `receivedAt`. Throws a {@link Refusal}. */
export function readHead(
  request: IncomingMessage,
  routes: Routes,
  timeoutMaxMs: number,
  receivedAt: number = performance.now(),
): CallHead {
  const { headers, method = "" } = request;
  if (headers.host === undefined && request.httpVersion === "1.1") throw badRequest("the Host header is missing");
  const { service, key, operation, query } = routes.find(method, request.url ?? "");
  if (method === "POST") checkPost(headers, query);
  else if (announcesBody(headers)) throw badRequest(`${method} takes no body: the input of a query is in ?input=`);
  return {
    service,
    key,
    operation,
    queryInput: method === "POST" ? undefined : inputOf(query),
    idempotencyKey: operation.kind === "command" ? keyOf(operation, headers) : undefined,
    priority: priority(headers),
    timeoutMs: requestTimeoutMs(headers, timeoutMaxMs),
    receivedAt,
    traceparent: traceparent(headers),
    async: operation.durable && prefersAsync(headers),
  };
}

/** The body as text. Throws a {@link Refusal}. */
export function decodeBody(body: Buffer): string | undefined {
  if (body.length === 0) return undefined;
  if (!isUtf8(body)) throw badRequest("the body is not UTF-8");
  return body.toString("utf8");
}

/** The whole call. Throws a {@link Refusal}. */
export function callOf(
  head: CallHead,
  body: string | undefined,
  who: Pick<GatewayCall, "principal" | "caller">,
  signal: GoneSignal,
): GatewayCall {
  const { service, key, operation, timeoutMs, receivedAt, idempotencyKey, traceparent, priority } = head;
  const input = head.queryInput ?? body;
  if (input !== undefined && !operation.hasInput) checkNoInput(service, operation, input);
  return {
    service,
    key,
    operation: operation.name,
    input: operation.hasInput ? input : undefined,
    idempotencyKey,
    timeoutMs: timeoutMs === undefined ? undefined : remainingMs(timeoutMs, receivedAt),
    ...who,
    priority,
    signal,
    traceparent,
    waitFor: head.async ? "acceptance" : undefined,
  };
}

/** A durable command has a key in any case: its outcome is found by it. */
function keyOf({ durable }: OperationDescription, headers: IncomingMessage["headers"]): string | undefined {
  return idempotencyKey(headers) ?? (durable ? `request-${randomUUID()}` : undefined);
}

/** The value of the Allow header. */
export function allowHeader(operation: OperationDescription): string {
  return methodsOf(operation).join(", ");
}

function checkPost(headers: IncomingMessage["headers"], query: string | undefined): void {
  if (query !== undefined && query !== "")
    throw badRequest("a POST has its input in its body, and no query parameters");
  const site = headers["sec-fetch-site"];
  // A page elsewhere can make a browser post without asking first; it could never read the answer anyway.
  if (site === "cross-site" || site === "same-site") {
    throw new Refusal(403, "permission_denied", "a browser sent this for a page of another origin");
  }
  if (!announcesBody(headers)) return;
  if (!declaresJson(headers)) {
    const given = headers["content-type"] === undefined ? "no content type" : quote(headers["content-type"]);
    throw new Refusal(415, "invalid_argument", `the body must be application/json (in UTF-8), not ${given}`);
  }
  const coding = headers["content-encoding"];
  if (coding !== undefined && coding !== "identity") {
    throw new Refusal(415, "invalid_argument", `the body must be sent as it is, not as ${quote(coding)}`);
  }
}

/** What many clients send where there is nothing to say is taken as nothing. */
function checkNoInput(service: string, { name }: OperationDescription, input: string): void {
  if (/^\s*(?:null|\{\s*\})?\s*$/.test(input)) return;
  throw badRequest(`${service}.${name} takes no input: leave the body empty, or send null or {}`);
}

export function remainingMs(timeoutMs: number, receivedAt: number): number {
  const remaining = timeoutMs - (performance.now() - receivedAt);
  if (remaining > 0) return remaining;
  throw new Refusal(
    504,
    "deadline_exceeded",
    "the Request-Timeout was over before the whole request was here, and its caller known",
    {
      retryable: true,
    },
  );
}
