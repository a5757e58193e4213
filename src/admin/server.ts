/**
 * The admin API: how the command line looks at and talks to a running system. It can do anything that an
 * operator can, so it is closed by default (rule S13): loopback only, a secret token in every request, `Host`
 * and `Origin` checked against DNS rebinding, and for changes a JSON body with a header that no form sends.
 */
import { timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { setTimeout as pause } from "node:timers/promises";
import { readFaultOrder } from "../drill/fault.ts";
import { isStatusCode, SynodError, statusCodes, toSynodError } from "../errors.ts";
import type { GatewayCall } from "../ports/gateway.ts";
import { prometheusContentType, prometheusText } from "./prometheus.ts";
import type { AdminTarget } from "./target.ts";
import { workQueryOf } from "./work-query.ts";

export interface AdminServerOptions {
  /** On 127.0.0.1; 0 takes a free port. */
  readonly port: number;
  /** Whoever knows it may do everything. */
  readonly token: string;
  readonly target: AdminTarget;
}

export interface AdminServer {
  readonly url: string;
  /** Takes no more requests; those that came in are answered, unless that takes too long. */
  close(): Promise<void>;
}

/** Where commands and scrapers expect it, unless somebody says another one. */
export const adminPortDefault = 9470;

/** The header of requests that change something; a page of another origin cannot send it. */
export const changeHeader = "synod-admin";
const host = "127.0.0.1";
const bodyBytesMax = 2 * 1024 * 1024;
const connectionsMax = 100;
/** How long an end waits for answers under way: a drain is answered by the process that it ends. */
const lastAnswersMaxMs = 1_000;

type Route = (target: AdminTarget, request: IncomingMessage, url: URL) => Promise<unknown>;

/** An answer that is not JSON. */
class PlainText {
  readonly text: string;
  readonly contentType: string;

  constructor(text: string, contentType: string) {
    this.text = text;
    this.contentType = contentType;
  }
}

const routes: Record<string, Route> = {
  "GET /v1/status": (target) => target.report(),
  "GET /v1/meters": (target) => target.meters(),
  "GET /metrics": async (target) => new PlainText(await metricsOf(target), prometheusContentType),
  "GET /v1/availability": (target) => target.availability(),
  "GET /v1/inspect": (target, _request, url) => target.inspect(parameter(url, "service"), parameter(url, "key")),
  "GET /v1/work": (target, _request, url) => target.work(workQueryOf(url.searchParams)),
  "GET /v1/work/details": (target, _request, url) => target.workDetails(parameter(url, "id")),
  "POST /v1/work": async (target, request) => {
    const { id, action } = await readBody(request);
    if (typeof id !== "string" || (action !== "retry" && action !== "drop")) {
      throw new SynodError("invalid_argument", 'pending work is operated on with { id, action: "retry" | "drop" }');
    }
    await target.operate(id, action);
    return {};
  },
  "POST /v1/drain": async (target, request) => {
    await target.drain(await readNode(request));
    return {};
  },
  "POST /v1/restart": async (target, request) => {
    await target.restart(await readNode(request));
    return {};
  },
  "POST /v1/fault": async (target, request) => {
    await target.strike(readFaultOrder(await readBody(request)));
    return {};
  },
  "POST /v1/call": async (target, request) => target.call(await readCall(request)),
};

/** Of the nodes, and of the availability meter where there is one. */
async function metricsOf(target: AdminTarget): Promise<string> {
  const availability = await target.availability().catch(() => undefined);
  return await prometheusText(await target.meters(), availability);
}

/** Listens; rejects with one sentence when the port is taken. */
export async function startAdminServer({ port, token, target }: AdminServerOptions): Promise<AdminServer> {
  const unanswered = new Set<ServerResponse>();
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 30_000 }, (request, response) => {
    unanswered.add(response);
    response.once("close", () => unanswered.delete(response));
    answer(server, token, target, request).then(
      (value) => send(response, 200, value),
      (thrown: unknown) => sendError(response, toSynodError(thrown)),
    );
  });
  server.maxConnections = connectionsMax;
  await listen(server, port);
  const close = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    const answered = Promise.all([...unanswered].map((response) => once(response, "close")));
    await Promise.race([answered, pause(lastAnswersMaxMs, undefined, { ref: false })]);
    server.closeAllConnections();
    await closed;
  };
  return { url: `http://${host}:${portOf(server)}`, close };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const sentence =
        cause.code === "EADDRINUSE"
          ? `The admin port ${port} is in use by another program: choose another one with --admin-port.`
          : `The admin API cannot listen on ${host}:${port} (${cause.code}): choose another port with --admin-port.`;
      reject(new SynodError("failed_precondition", sentence, { cause }));
    });
    server.listen({ host, port }, resolve);
  });
}

async function answer(server: Server, token: string, target: AdminTarget, request: IncomingMessage): Promise<unknown> {
  checkOrigin(request, portOf(server));
  checkToken(request, token);
  const url = new URL(request.url ?? "/", `http://${host}`);
  const route = routes[`${request.method} ${url.pathname}`];
  if (!route) throw new SynodError("not_found", `the admin API has no ${request.method} ${url.pathname}`);
  if (request.method !== "GET") checkChange(request);
  return await route(target, request, url);
}

function checkOrigin({ headers }: IncomingMessage, port: number): void {
  const allowed = [`${host}:${port}`, `localhost:${port}`];
  if (!allowed.includes(headers.host ?? "")) {
    throw new SynodError("permission_denied", `the admin API answers to ${allowed.join(" and ")} only`);
  }
  if (headers.origin !== undefined && !allowed.includes(headers.origin.replace(/^http:\/\//, ""))) {
    throw new SynodError("permission_denied", "the admin API does not answer pages of other origins");
  }
}

function checkToken({ headers }: IncomingMessage, token: string): void {
  const given = Buffer.from(headers.authorization ?? "");
  const wanted = Buffer.from(`Bearer ${token}`);
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
    throw new SynodError("unauthenticated", "the admin API wants its token as a bearer token");
  }
}

function checkChange({ headers }: IncomingMessage): void {
  if (!/^application\/json(;|$)/.test(headers["content-type"] ?? "") || headers[changeHeader] === undefined) {
    const wanted = `content-type: application/json and the header ${changeHeader}: 1`;
    throw new SynodError("invalid_argument", `the admin API wants changes with ${wanted}`);
  }
}

function parameter(url: URL, name: string): string {
  const value = url.searchParams.get(name);
  if (value === null) throw new SynodError("invalid_argument", `the parameter ${name} is missing`);
  return value;
}

async function readNode(request: IncomingMessage): Promise<string> {
  const { node } = await readBody(request);
  if (typeof node === "string") return node;
  throw new SynodError("invalid_argument", "the node's name has to be a text");
}

async function readCall(request: IncomingMessage): Promise<Omit<GatewayCall, "signal">> {
  const body = await readBody(request);
  const { service, key, operation, input, idempotencyKey, timeoutMs } = body;
  const text = (value: unknown, name: string): string => {
    if (typeof value === "string") return value;
    throw new SynodError("invalid_argument", `the call's ${name} has to be a text`);
  };
  const optional = (value: unknown, name: string): string | undefined =>
    value == null ? undefined : text(value, name);
  if (timeoutMs != null && typeof timeoutMs !== "number") {
    throw new SynodError("invalid_argument", "the call's timeoutMs has to be a number");
  }
  return {
    service: text(service, "service"),
    key: optional(key, "key"),
    operation: text(operation, "operation"),
    input: optional(input, "input"),
    idempotencyKey: optional(idempotencyKey, "idempotencyKey"),
    timeoutMs: timeoutMs ?? undefined,
    principal: "operator",
  };
}

async function readBody(request: IncomingMessage): Promise<Record<string, unknown>> {
  // Node reads no more than a request announces.
  if (!(Number(request.headers["content-length"]) <= bodyBytesMax)) {
    throw new SynodError("invalid_argument", `a body announces its length, of at most ${bodyBytesMax} bytes`);
  }
  try {
    const value: unknown = await json(request);
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw new SynodError("invalid_argument", "the body is not a JSON object");
}

function sendError(response: ServerResponse, error: SynodError): void {
  const { code, message, outcome, retryable } = error;
  send(response, isStatusCode(code) ? statusCodes[code] : 422, { code, message, outcome, retryable });
}

function send(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, {
    "content-type": value instanceof PlainText ? value.contentType : "application/json",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    // An unread rest of a refused body is not to be taken for the next request.
    ...(status >= 400 && { connection: "close" }),
  });
  response.end(value instanceof PlainText ? value.text : JSON.stringify(value));
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
