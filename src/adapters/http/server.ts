/**
 * The server below Fastify: Node's, with the bounds of rule S14, and the answers to what never becomes a
 * request because Node's parser or its timeouts stop it.
 */
import { createServer, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import { SynodError } from "../../errors.ts";
import type { Log } from "../../ports/log.ts";
import type { Connections } from "./connections.ts";
import type { HttpLimits, HttpSettings } from "./options.ts";
import { badRequest, type Problem, problemHeaders, problemText, Refusal, rawProblem } from "./problem.ts";

/** Timeouts are looked after this many times within the shortest of them, and at least once a second. */
const timeoutChecks = 4;
/** How long a connection that was answered with an error stays open for the answer to be read. */
const lingerMs = 1_000;
const dropReportIntervalMs = 10_000;

/** A server that does not listen yet. `callTimeoutMaxMs`: how long an answer may be waited for. */
export function createHttpServer(settings: HttpSettings, callTimeoutMaxMs: number): Server {
  const { tls, limits } = settings;
  const { headersTimeoutMs, requestTimeoutMs } = limits;
  const options = {
    headersTimeout: headersTimeoutMs,
    requestTimeout: requestTimeoutMs,
    connectionsCheckingInterval: Math.min(1_000, Math.ceil(headersTimeoutMs / timeoutChecks)),
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    maxHeaderSize: limits.headerBytesMax,
    // A missing Host is answered with a problem, by the adapter.
    requireHostHeader: false,
  };
  const handshake = { ...tls, handshakeTimeout: headersTimeoutMs };
  const server =
    tls === undefined ? createServer(options) : secure(() => createTlsServer({ ...options, ...handshake }));
  server.maxConnections = limits.connectionsMax;
  // Bytes are the bound of headers. Bounded by number, Node would drop the ones beyond it silently.
  server.maxHeadersCount = 0;
  // The last resort against a client that never reads its answer: no bytes for longer than any call takes.
  server.timeout = callTimeoutMaxMs + requestTimeoutMs;
  return server;
}

/**
 * A client that asks before it sends a body that is too large is not told to go on. `answerOwed`: told before anything
 * is written, because what its connection is owed for earlier requests goes first.
 */
export function answerExpectations(server: Server, bodyBytesMax: number, answerOwed: (socket: Socket) => void): void {
  server.on("checkContinue", (request, response) => {
    answerOwed(request.socket);
    if (Number(request.headers["content-length"] ?? 0) <= bodyBytesMax) response.writeContinue();
    server.emit("request", request, response);
  });
  server.on("checkExpectation", (request, response) => {
    answerOwed(request.socket);
    const detail = `Expect: ${request.headers.expect} cannot be met, only 100-continue`;
    const { problem } = new Refusal(417, "unimplemented", detail);
    response.writeHead(problem.status, problemHeaders(problem)).end(problemText(problem));
  });
}

/** Tells the operator that connections are turned away, once in a while. */
export function reportDrops(server: Server, connectionsMax: number, log: Log): void {
  let dropped = 0;
  let reportedAt = Number.NEGATIVE_INFINITY;
  server.on("drop", () => {
    dropped++;
    if (performance.now() - reportedAt < dropReportIntervalMs) return;
    reportedAt = performance.now();
    log.warn("HTTP turns connections away: there are too many", { connectionsMax, dropped });
  });
}

function secure(create: () => Server): Server {
  try {
    return create();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `http(): the certificate or key in tls cannot be used: ${reason}`;
    throw new SynodError("invalid_argument", message, { cause });
  }
}

/** The listener for errors of a connection: broken requests, slow ones, and ones too large for the parser. */
export function answerBrokenRequests(
  connections: Connections,
  limits: HttpLimits,
): (error: NodeJS.ErrnoException, socket: Socket) => void {
  const answered = new WeakSet<Socket>();
  return (error, socket) => {
    if (answered.has(socket)) return;
    answered.add(socket);
    if (error.code === "ECONNRESET" || !socket.writable || connections.mayHaveCalled(socket)) {
      socket.destroy();
    } else {
      answerAndClose(socket, problemOfParser(error, limits));
    }
  };
}

function problemOfParser(error: NodeJS.ErrnoException, limits: HttpLimits): Problem {
  switch (error.code) {
    case "ERR_HTTP_REQUEST_TIMEOUT": {
      const { headersTimeoutMs, requestTimeoutMs } = limits;
      const detail = `the request took too long: headers have ${headersTimeoutMs} ms, a whole request ${requestTimeoutMs} ms`;
      return new Refusal(408, "deadline_exceeded", detail, { retryable: true }).problem;
    }
    case "HPE_HEADER_OVERFLOW":
      return new Refusal(431, "invalid_argument", `URL and headers are over ${limits.headerBytesMax} bytes`).problem;
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return new Refusal(413, "invalid_argument", "the extensions of a chunk are too long").problem;
    default:
      return badRequest(`this is not HTTP: ${error.message}`).problem;
  }
}

/** Answers by hand where there is no response object. What the client still sends is read, and dropped. */
function answerAndClose(socket: Socket, problem: Problem): void {
  socket.end(rawProblem(problem, { ...problemHeaders(problem), connection: "close" }));
  // Closed while bytes wait to be read, the connection would be reset, and the answer lost with it.
  setTimeout(() => socket.destroy(), lingerMs).unref();
}
