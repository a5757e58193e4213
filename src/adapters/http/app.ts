/**
 * The Fastify application: every request on its way to the gateway and back.
 *
 * Fastify brings the request's life cycle and the counting of bodies; routes, headers and problems are this
 * adapter's, and texts pass through unparsed. A request is judged in this order: who calls, where to, with
 * what headers (all before its body is read), its body, and then the gateway is asked.
 */
import { type IncomingMessage, METHODS, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
  type onRequestHookHandler,
} from "fastify";
import { SynodError } from "../../errors.ts";
import type { AdapterEnvironment, Gateway, GatewayCall, GatewayReply } from "../../ports/gateway.ts";
import { Gone, type GoneSignal } from "../../values/gone.ts";
import { type Authenticator, anonymous, authenticatorOf } from "./authenticate.ts";
import { allowHeader, type CallHead, callOf, decodeBody, readHead, remainingMs } from "./call.ts";
import type { Connections } from "./connections.ts";
import { callerOf, doorTo } from "./door.ts";
import { requestTimeoutMs } from "./headers.ts";
import { HeldRefusals } from "./held-refusals.ts";
import { openapiDocument } from "./openapi.ts";
import type { HttpSettings } from "./options.ts";
import { goesOn, ofCommand, outcomeCallOf, outcomeLocation } from "./outcomes.ts";
import { badRequest, type Problem, problemHeaders, problemOf, problemText, Refusal } from "./problem.ts";
import { ownPaths, Routes } from "./routes.ts";
import { answerExpectations } from "./server.ts";

const jsonMediaType = "application/json; charset=utf-8";
/** Names of what the hooks leave on a request for its handler. */
const principalName = "principal";
const headName = "callHead";
const receivedAtName = "receivedAt";
/** How much of a refused body is read and dropped, in bodies of the largest size, so that the answer arrives. */
const droppedBodiesMax = 4;

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

export interface AppOptions {
  readonly environment: AdapterEnvironment;
  readonly settings: HttpSettings;
  /** The server to serve on; it listens later. */
  readonly server: Server;
  readonly connections: Connections;
  /** Answers what never becomes a request. */
  readonly onBrokenRequest: (error: NodeJS.ErrnoException, socket: Socket) => void;
  /** Whether answers are to say `Connection: close`. */
  readonly closing: () => boolean;
}

/** The application, ready to serve as soon as its server listens. */
export async function createApp(options: AppOptions): Promise<FastifyInstance> {
  const { gateway, log } = options.environment;
  const { limits } = options.settings;
  const routes = new Routes(gateway.services, (service) => gateway.isHostedElsewhere(service));
  const app = fastify({
    serverFactory: (listener) => servedBy(listener, options, routes),
    clientErrorHandler: options.onBrokenRequest,
    bodyLimit: limits.bodyBytesMax,
    exposeHeadRoutes: false,
    // The adapter takes paths and queries apart itself.
    routerOptions: { maxParamLength: limits.headerBytesMax, querystringParser: () => ({}) },
    frameworkErrors: (error, request, reply) => refuseAtOnce(reply as FastifyReply, problemOfFastify(error, request)),
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_, body: Buffer, done) => done(null, decodeBody(body)));
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const problem = problemOfFastify(error, request);
    if (problem.status >= 500 && !(error instanceof Refusal)) log.error("a request failed inside HTTP", { error });
    // Fastify would cut the connection, and the client that still sends would never read the answer.
    reply.removeHeader("connection");
    if (!request.raw.complete) dropRest(request.raw, limits.bodyBytesMax * droppedBodiesMax);
    return writeProblem(reply, problem);
  });
  app.addHook("onSend", (_request, reply, _payload, done) => {
    if (options.closing()) reply.header("connection", "close");
    done();
  });
  // Before all other hooks: whoever waits for the answer waits while it is found out who he is, too.
  app.decorateRequest(receivedAtName, 0);
  app.addHook("onRequest", (request, _reply, done) => {
    request.setDecorator(receivedAtName, performance.now());
    done();
  });
  const authenticator = authenticatorOf(options.settings, log);
  addOwnRoutes(app, gateway, authenticator);
  addCallRoute(app, gateway, routes, authenticator);
  addOutcomeRoute(app, gateway, authenticator);
  await app.ready();
  return app;
}

/** The server, with the door before the application. */
function servedBy(listener: Listener, options: AppOptions, routes: Routes): Server {
  const { server, closing, connections } = options;
  const { gateway } = options.environment;
  const { bodyBytesMax, keepAliveTimeoutMs } = options.settings.limits;
  const held = new HeldRefusals({
    ...{ keepAliveTimeoutMs, closing },
    owed: (socket) => connections.owe(socket),
    paid: (socket) => connections.paid(socket),
  });
  server.on("connection", () => gateway.connected());
  answerExpectations(server, bodyBytesMax, (socket) => held.answerAll(socket));
  const door = doorTo(listener, { gateway, routes, bodyBytesMax, keepAliveTimeoutMs, closing, held });
  return server.on("request", door);
}

function addOwnRoutes(app: FastifyInstance, gateway: Gateway, authenticator: Authenticator | undefined): void {
  const method = ["GET", "HEAD"];
  const document = JSON.stringify(openapiDocument({ title: gateway.system, services: gateway.services }));
  app.route({ method, url: ownPaths.health, handler: (_, reply) => sendJson(reply, '{"status":"alive"}') });
  app.route({
    method,
    url: ownPaths.readiness,
    handler: (_, reply) => {
      if (gateway.state === "ready" && gateway.hasLease) return sendJson(reply, '{"state":"ready"}');
      return reply.send(writeProblem(reply, notReady(gateway.state === "ready" ? "without a lease" : gateway.state)));
    },
  });
  app.route({
    method,
    url: ownPaths.openapi,
    onRequest: authenticator === undefined ? [] : [authenticateWith(authenticator)],
    handler: (_, reply) => sendJson(reply, document),
  });
}

function addCallRoute(
  app: FastifyInstance,
  gateway: Gateway,
  routes: Routes,
  authenticator: Authenticator | undefined,
): void {
  app.decorateRequest(principalName, anonymous);
  app.decorateRequest(headName, null);
  // Every method that Node knows comes here, so that a wrong one is told what is right.
  for (const method of METHODS)
    if (method !== "CONNECT" && !app.supportedMethods.includes(method)) app.addHttpMethod(method);
  const readHeadOf: onRequestHookHandler = (request, reply, done) => {
    const receivedAt = request.getDecorator<number>(receivedAtName);
    const head = readHead(request.raw, routes, gateway.timeoutMaxMs, receivedAt);
    if (request.method === "OPTIONS") return void reply.code(204).header("allow", allowHeader(head.operation)).send();
    request.setDecorator(headName, head);
    done();
  };
  const onRequest = authenticator === undefined ? [readHeadOf] : [authenticateWith(authenticator), readHeadOf];
  app.all("/*", { onRequest }, async (request, reply) => {
    const head = request.getDecorator<CallHead>(headName);
    const principal = request.getDecorator<string>(principalName);
    const caller = callerOf(request.raw.socket, authenticator === undefined ? undefined : principal);
    const who = { principal, caller };
    const call = callOf(head, request.body as string | undefined, who, goneSignal(reply.raw));
    const answer = await gateway.call(call);
    if (head.operation.durable && goesOn(answer)) reply.header("location", outcomeLocation(call));
    if (head.async && answer.ok) {
      reply.header("preference-applied", "respond-async");
      return writeAccepted(reply, call);
    }
    if (request.method !== "POST") reply.header("cache-control", "no-store");
    return writeAnswer(reply, answer);
  });
  app.setNotFoundHandler((request) => {
    throw new Refusal(404, "not_found", `there is nothing at ${request.raw.url}`);
  });
}

/** Reads or waits for what became of a durable command. */
function addOutcomeRoute(app: FastifyInstance, gateway: Gateway, authenticator: Authenticator | undefined): void {
  if (gateway.services.some(({ name }) => `/${name}/` === ownPaths.outcomes)) {
    const message = `a service cannot be called outcomes where HTTP is: ${ownPaths.outcomes} is where outcomes are read`;
    throw new SynodError("invalid_argument", message);
  }
  const onRequest = authenticator === undefined ? [] : [authenticateWith(authenticator)];
  app.route({
    method: "GET",
    url: `${ownPaths.outcomes}:name`,
    onRequest,
    handler: async (request, reply) => {
      const receivedAt = request.getDecorator<number>(receivedAtName);
      const timeoutMs = requestTimeoutMs(request.raw.headers, gateway.timeoutMaxMs);
      const call: GatewayCall = {
        ...outcomeCallOf((request.params as { readonly name: string }).name),
        principal: request.getDecorator<string>(principalName),
        timeoutMs: timeoutMs === undefined ? undefined : remainingMs(timeoutMs, receivedAt),
        signal: goneSignal(reply.raw),
      };
      const answer = await gateway.call(call);
      reply.header("cache-control", "no-store");
      return goesOn(answer) ? writeAccepted(reply, call) : writeAnswer(reply, ofCommand(answer));
    },
  });
}

/** It goes on, and this is where its end can be read. */
function writeAccepted(reply: FastifyReply, call: GatewayCall): string {
  const outcome = outcomeLocation(call);
  reply.code(202).headers({ location: outcome, "content-type": jsonMediaType });
  return JSON.stringify({ state: "accepted", outcome });
}

function writeAnswer(reply: FastifyReply, answer: GatewayReply): string | undefined {
  if (answer.replayed) reply.header("idempotent-replayed", "true");
  if (!answer.ok) return writeProblem(reply, problemOf(answer.error));
  if (answer.output === undefined) reply.code(204);
  else reply.header("content-type", jsonMediaType);
  return answer.output;
}

function authenticateWith(authenticator: Authenticator): (request: FastifyRequest) => Promise<void> {
  return async (request) => {
    const principal = await authenticator(request.raw);
    request.setDecorator(principalName, principal);
  };
}

/** Fires when the caller has gone before the answer. */
function goneSignal(response: ServerResponse): GoneSignal {
  const gone = new Gone();
  if (response.closed) gone.abort();
  else response.once("close", () => response.writableFinished || gone.abort());
  return gone;
}

function sendJson(reply: FastifyReply, text: string): FastifyReply {
  return reply.header("content-type", jsonMediaType).header("cache-control", "no-store").send(text);
}

/** Answers where no hook and no handler runs any more. */
function refuseAtOnce(reply: FastifyReply, problem: Problem): void {
  reply.send(writeProblem(reply, problem));
}

/** Prepares a reply for a problem and gives the text to send. */
function writeProblem(reply: FastifyReply, problem: Problem): string {
  reply.code(problem.status).headers(problemHeaders(problem));
  return problemText(problem);
}

function notReady(state: string): Problem {
  const data = JSON.stringify({ state });
  return new Refusal(503, "unavailable", `the node is ${state}`, { retryable: true, data }).problem;
}

/** What Fastify or a hook threw, as a problem. */
function problemOfFastify(error: FastifyError | Refusal, request: FastifyRequest): Problem {
  if (error instanceof Refusal) return error.problem;
  switch (error.code) {
    case "FST_ERR_BAD_URL":
      return badRequest("the URL is not percent-encoded UTF-8").problem;
    case "FST_ERR_CTP_BODY_TOO_LARGE": {
      const detail = `the body is over ${request.routeOptions.bodyLimit} bytes`;
      return new Refusal(413, "invalid_argument", detail).problem;
    }
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return new Refusal(415, "invalid_argument", "the body must be application/json").problem;
  }
  const status = error.statusCode ?? 500;
  if (status >= 400 && status < 500) return new Refusal(status, "invalid_argument", error.message).problem;
  return {
    status: 500,
    code: "internal",
    detail: "the request failed inside HTTP",
    outcome: "unknown",
    retryable: false,
  };
}

/** Reads the rest of a body that nobody wants, within a bound; the time is bounded by the request timeout. */
function dropRest(request: IncomingMessage, bytesMax: number): void {
  let dropped = 0;
  request.on("data", (chunk: Buffer) => {
    dropped += chunk.length;
    if (dropped > bytesMax) request.destroy();
  });
}
