/**
 * Connections: who is connected, and which requests are in progress on each connection.
 *
 * A drain has to fail no request (guarantee G8), and a connection without a request is the hard part of it: closed by
 * whomever, it fails the request that sets out on it at the same instant, and the client may not repeat that (RFC 9112,
 * section 9.3.1). So a drain closes no such connection as long as somebody takes it: new connections are not accepted
 * any more, answers say `Connection: close`, and what is idle goes to another node as it is, at once. Where nobody
 * takes connections, or over TLS, whose keys stay with the process, idle ones get a short grace, in which what arrives
 * is still answered, and are closed then. docs/decisions/0005 says why. The drain is over when the last connection has
 * gone.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { Server as NetServer, type Socket } from "node:net";
import type { ConnectionHandle, PassOn } from "../../ports/gateway.ts";
import type { Traffic } from "../../ports/meters.ts";
import { ParkedConnections, takeHandle } from "./parked-connections.ts";

export interface ConnectionsOptions {
  readonly secure: boolean;
  readonly drainGraceMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly connectionsMax: number;
}

/** The requests of one connection. */
interface Exchange {
  readonly inProgress: Set<IncomingMessage>;
  /** Refusals that will be written to it, to requests that Node has done with (`held-refusals.ts`). */
  owed: number;
  /** Bytes that were read with all that was answered: with more than these another request has begun. */
  answeredBytes: number;
  /** False once a request came before the one before it was answered: where it began cannot be told any more. */
  isClear: boolean;
}

/** It cannot be told where the last request ended. */
const unknownBytes = -1;

export class Connections {
  readonly #server: Server;
  readonly #options: ConnectionsOptions;
  /** Over TLS: from the end of the handshake. */
  readonly #exchanges = new Map<Socket, Exchange>();
  /** Every connection as it was accepted; over TLS also those in their handshake. */
  readonly #accepted = new Set<Socket>();
  /** What crossed connections that are closed. */
  #receivedBytes = 0;
  #sentBytes = 0;
  readonly #parked: ParkedConnections;
  readonly #passing = new Set<Promise<void>>();
  #passOn: PassOn | undefined;
  #graceIsOver = false;
  #drained: Promise<void> | undefined;
  #whenEmpty: () => void = () => {};

  constructor(server: Server, options: ConnectionsOptions) {
    this.#server = server;
    this.#options = options;
    this.#parked = new ParkedConnections(server, options.keepAliveTimeoutMs);
    server.on("connection", (socket) => this.#count(socket));
    server.on(options.secure ? "secureConnection" : "connection", (socket) => {
      this.#exchanges.set(socket, { inProgress: new Set(), owed: 0, answeredBytes: 0, isClear: true });
      socket.once("close", () => this.#exchanges.delete(socket));
    });
    server.on("request", (request, response) => this.#begin(request, response));
  }

  /** What crossed all connections so far. */
  get traffic(): Traffic {
    let [receivedBytes, sentBytes] = [this.#receivedBytes, this.#sentBytes];
    for (const socket of this.#accepted) {
      receivedBytes += socket.bytesRead;
      sentBytes += socket.bytesWritten;
    }
    return { receivedBytes, sentBytes };
  }

  get draining(): boolean {
    return this.#drained !== undefined;
  }

  /**
   * Whether something on this connection may have reached a service already, so that an error of the
   * connection must not be answered as if nothing had happened (guarantee G7).
   */
  mayHaveCalled(socket: Socket): boolean {
    const exchange = this.#exchanges.get(socket);
    if (exchange === undefined) return false;
    for (const request of exchange.inProgress) if (request.complete) return true;
    return exchange.owed > 0;
  }

  /** A request that Node takes for answered is not: its refusal is held. */
  owe(socket: Socket): void {
    const exchange = this.#exchanges.get(socket);
    if (exchange !== undefined) exchange.owed += 1;
  }

  /** That refusal was written. */
  paid(socket: Socket): void {
    const exchange = this.#exchanges.get(socket);
    if (exchange === undefined) return;
    exchange.owed -= 1;
    this.#answered(socket, openOf(exchange));
  }

  /** Goes on with a connection that another node passed on. */
  adopt(handle: ConnectionHandle): void {
    const { secure, connectionsMax } = this.#options;
    if (secure || this.draining || this.#accepted.size >= connectionsMax) return handle.close();
    this.#count(this.#parked.park(handle));
  }

  /** Takes no new connections, gives idle ones to `passOn`, and resolves when the last one has gone. */
  drain(passOn?: PassOn): Promise<void> {
    if (!this.#options.secure) this.#passOn ??= passOn;
    this.#drained ??= this.#drain();
    return this.#drained;
  }

  /** Cuts every connection. */
  async close(): Promise<void> {
    const drained = this.drain();
    for (const socket of this.#accepted) socket.destroy();
    await drained;
  }

  async #drain(): Promise<void> {
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    const { promise: empty, resolve: whenEmpty } = Promise.withResolvers<void>();
    this.#whenEmpty = whenEmpty;
    // The HTTP server's own close would cut idle connections at once and stop watching for slow requests.
    NetServer.prototype.close.call(this.#server, () => resolve());
    if (this.#accepted.size === 0) whenEmpty();
    for (const socket of [...this.#parked.sockets, ...this.#exchanges.keys()]) this.#giveAway(socket);
    // What has arrived when the grace is over, on a busy machine perhaps long ago, is read before it ends.
    const grace = setTimeout(() => setImmediate(() => this.#endGrace()), this.#options.drainGraceMs);
    await Promise.all([closed, empty]);
    clearTimeout(grace);
    await Promise.all(this.#passing);
    this.#server.close();
  }

  #endGrace(): void {
    this.#graceIsOver = true;
    for (const socket of this.#parked.sockets) socket.destroy();
    for (const [socket, exchange] of this.#exchanges) if (openOf(exchange) === 0) socket.destroy();
  }

  #count(socket: Socket): void {
    if (this.#accepted.has(socket)) return;
    this.#accepted.add(socket);
    socket.once("close", () => {
      this.#accepted.delete(socket);
      this.#receivedBytes += socket.bytesRead;
      this.#sentBytes += socket.bytesWritten;
      if (this.#accepted.size === 0) this.#whenEmpty();
    });
  }

  #begin(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    const exchange = this.#exchanges.get(socket);
    if (exchange === undefined) return;
    const { inProgress } = exchange;
    if (openOf(exchange) > 0) exchange.isClear = false;
    inProgress.add(request);
    response.once("close", () => {
      inProgress.delete(request);
      const { bytesRead } = socket;
      exchange.answeredBytes = unknownBytes;
      const settle = (): void => {
        // More was read since: it may be the rest of this request, or the next one, or both.
        if (inProgress.size === 0 && socket.bytesRead === bytesRead) exchange.answeredBytes = bytesRead;
        this.#answered(socket, openOf(exchange));
      };
      // One that was answered by its head alone has perhaps come as a whole, but was not read to its end yet.
      if (request.complete || inProgress.size > 0) settle();
      else if (this.#graceIsOver) socket.destroySoon();
      else request.once("close", settle);
    });
  }

  #answered(socket: Socket, others: number): void {
    if (others > 0 || this.#giveAway(socket)) return;
    if (this.#graceIsOver) socket.destroySoon();
  }

  /** Gives a connection to another node, if one takes connections and nothing of a request has come on it. */
  #giveAway(socket: Socket): boolean {
    const passOn = this.#passOn;
    if (passOn === undefined || !this.#isIdle(socket)) return false;
    this.#receivedBytes += socket.bytesRead;
    this.#sentBytes += socket.bytesWritten;
    const passing = passOn(takeHandle(socket)).finally(() => this.#passing.delete(passing));
    this.#passing.add(passing);
    return true;
  }

  #isIdle(socket: Socket): boolean {
    if (!socket.writable || socket.writableLength > 0 || socket.readableLength > 0) return false;
    const exchange = this.#exchanges.get(socket);
    if (exchange === undefined) return this.#parked.has(socket);
    const { answeredBytes, isClear } = exchange;
    return isClear && openOf(exchange) === 0 && socket.bytesRead === answeredBytes;
  }
}

/** Requests of a connection that are not answered. */
function openOf({ inProgress, owed }: Exchange): number {
  return inProgress.size + owed;
}
