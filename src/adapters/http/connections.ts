/**
 * Connections: who is connected, and which requests are in progress on each connection.
 *
 * Node closes idle connections the instant that a server closes, and resets whatever was on its way on
 * them. A drain has to fail no request (guarantee G8), so it goes in three steps: no new connections; a
 * short grace in which every answer says `Connection: close`; then the connections that stayed silent are
 * closed. The drain is over when the last connection has gone.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { Server as NetServer, type Socket } from "node:net";
import type { Traffic } from "../../ports/meters.ts";

export class Connections {
  readonly #server: Server;
  readonly #drainGraceMs: number;
  /** Every connection with its requests in progress. Over TLS: from the end of the handshake. */
  readonly #inProgress = new Map<Socket, Set<IncomingMessage>>();
  /** Every connection as it was accepted; over TLS also those in their handshake. */
  readonly #accepted = new Set<Socket>();
  /** What crossed connections that are closed. */
  #receivedBytes = 0;
  #sentBytes = 0;
  #graceIsOver = false;
  #drained: Promise<void> | undefined;

  constructor(server: Server, options: { readonly secure: boolean; readonly drainGraceMs: number }) {
    this.#server = server;
    this.#drainGraceMs = options.drainGraceMs;
    server.on("connection", (socket) => {
      this.#accepted.add(socket);
      socket.once("close", () => {
        this.#accepted.delete(socket);
        this.#receivedBytes += socket.bytesRead;
        this.#sentBytes += socket.bytesWritten;
      });
    });
    server.on(options.secure ? "secureConnection" : "connection", (socket) => {
      this.#inProgress.set(socket, new Set());
      socket.once("close", () => this.#inProgress.delete(socket));
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
    for (const request of this.#inProgress.get(socket) ?? []) if (request.complete) return true;
    return false;
  }

  /** Takes no new connections, and resolves when the last one has gone. */
  drain(): Promise<void> {
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
    // The HTTP server's own close would cut idle connections at once and stop watching for slow requests.
    NetServer.prototype.close.call(this.#server, () => resolve());
    // What has arrived when the grace is over, on a busy machine perhaps long ago, is read before it ends.
    const grace = setTimeout(() => setImmediate(() => this.#endGrace()), this.#drainGraceMs);
    await closed;
    clearTimeout(grace);
    this.#server.close();
  }

  #endGrace(): void {
    this.#graceIsOver = true;
    for (const [socket, requests] of this.#inProgress) if (requests.size === 0) socket.destroy();
  }

  #begin(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    const requests = this.#inProgress.get(socket);
    requests?.add(request);
    response.once("close", () => {
      requests?.delete(request);
      if (this.#graceIsOver && requests?.size === 0) socket.destroySoon();
    });
  }
}
