/**
 * The door: while the node has more to do than it can do, requests are turned away here, by their head, before
 * anything is made of them. Past its capacity a server's capacity is mostly what refusing costs; an answer from here
 * costs a fraction of one that has gone through the whole application.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Gateway, GatewayError } from "../../ports/gateway.ts";
import { readHead } from "./call.ts";
import type { HeldRefusals } from "./held-refusals.ts";
import { problemHeaders, problemOf, problemText } from "./problem.ts";
import { RefusalPace } from "./refusal-pace.ts";
import type { Routes } from "./routes.ts";

/** Who last called on a connection: as long as nobody has been asked, the best guess of who calls now. */
const callers = new WeakMap<Socket, string>();

/** The caller of a request for the node's queue: who authenticated, or else the machine that it comes from. */
export function callerOf(socket: Socket, principal: string | undefined): string {
  const caller = principal ?? socket.remoteAddress ?? "";
  callers.set(socket, caller);
  return caller;
}

export interface DoorOptions {
  readonly gateway: Gateway;
  readonly routes: Routes;
  /** Requests with a longer body go through: what is left of a refused one would have to be read. */
  readonly bodyBytesMax: number;
  readonly keepAliveTimeoutMs: number;
  readonly closing: () => boolean;
  readonly held: HeldRefusals;
}

/** Gives the listener for requests: whoever is not turned away is passed on. */
export function doorTo(
  listener: (request: IncomingMessage, response: ServerResponse) => void,
  { gateway, routes, bodyBytesMax, keepAliveTimeoutMs, closing, held }: DoorOptions,
): (request: IncomingMessage, response: ServerResponse) => void {
  const pace = new RefusalPace(
    () => performance.now(),
    () => gateway.busy,
  );
  return (request, response) => {
    const refusal = gateway.busy ? refusalOf(request, gateway, routes, bodyBytesMax) : undefined;
    const answer = refusal && held.hold(request, response, refusal.error);
    if (refusal !== undefined && answer !== undefined) {
      // Node closes a connection that is idle for too long, and takes this one for idle.
      return pace.refuse(answer, Math.min(refusal.leftMs, keepAliveTimeoutMs));
    }
    held.answerAll(request.socket);
    if (refusal === undefined) return listener(request, response);
    pace.refuse(() => turnAway(response, refusal.error, closing()), refusal.leftMs);
  };
}

function turnAway(response: ServerResponse, error: GatewayError, closing: boolean): void {
  // Its caller has gone while it was held.
  if (response.destroyed) return;
  const problem = problemOf(error);
  const text = problemText(problem);
  const headers = { ...problemHeaders(problem), "content-length": Buffer.byteLength(text) };
  response.writeHead(problem.status, closing ? { ...headers, connection: "close" } : headers);
  response.end(text);
}

interface DoorRefusal {
  readonly error: GatewayError;
  /** How long its caller will wait. */
  readonly leftMs: number;
}

/** Undefined for whatever is not a call that is turned away; what is wrong with it is said inside. */
function refusalOf(
  request: IncomingMessage,
  gateway: Gateway,
  routes: Routes,
  bodyBytesMax: number,
): DoorRefusal | undefined {
  if (request.headers["transfer-encoding"] !== undefined) return undefined;
  if (Number(request.headers["content-length"] ?? 0) > bodyBytesMax || request.method === "OPTIONS") return undefined;
  try {
    const { service, key, operation, priority, timeoutMs } = readHead(request, routes, gateway.timeoutMaxMs);
    const caller = callers.get(request.socket) ?? request.socket.remoteAddress;
    const error = gateway.refusal({ service, key, operation: operation.name, caller, priority, timeoutMs });
    return error && { error, leftMs: timeoutMs ?? Number.POSITIVE_INFINITY };
  } catch {
    return undefined;
  }
}
