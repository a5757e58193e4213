/**
 * Connections that another node passed on, until their next request. Node's HTTP server gives a connection that is new
 * to it the time of a request's headers, and then answers that it was too slow. A connection that is only passed on is
 * not new to its client, who was told for how long it may stay idle: so it waits here for that long, and comes to the
 * server with the first bytes of its next request.
 */
import type { Server } from "node:http";
import { Socket } from "node:net";
import type { ConnectionHandle } from "../../ports/gateway.ts";

/** What node:net keeps below a socket; its types do not say so. */
interface Handled {
  _handle: (ConnectionHandle & { reading: boolean; readStop(): void }) | null;
}

/** Takes the connection away from its socket, which is closed then. What has not been read stays unread. */
export function takeHandle(socket: Socket): ConnectionHandle {
  const handled = socket as unknown as Handled;
  const handle = handled._handle!;
  handle.reading = false;
  handle.readStop();
  handled._handle = null;
  socket.destroy();
  return handle;
}

export class ParkedConnections {
  readonly #server: Server;
  readonly #keepAliveTimeoutMs: number;
  readonly #sockets = new Set<Socket>();

  constructor(server: Server, keepAliveTimeoutMs: number) {
    this.#server = server;
    this.#keepAliveTimeoutMs = keepAliveTimeoutMs;
  }

  get sockets(): readonly Socket[] {
    return [...this.#sockets];
  }

  has(socket: Socket): boolean {
    return this.#sockets.has(socket);
  }

  park(handle: ConnectionHandle): Socket {
    // Half open, as the server's own: who has said everything still wants the answer.
    const socket = new Socket({ handle, allowHalfOpen: true } as object);
    const cut = (): void => void socket.destroy();
    const leave = (): void => {
      this.#sockets.delete(socket);
      for (const event of ["end", "error", "timeout"]) socket.off(event, cut);
    };
    this.#sockets.add(socket);
    for (const event of ["end", "error", "timeout"]) socket.on(event, cut);
    socket.setTimeout(this.#keepAliveTimeoutMs);
    socket.once("close", leave);
    socket.once("data", (first: Buffer) => {
      socket.off("close", leave);
      leave();
      socket.pause();
      socket.unshift(first);
      this.#server.emit("connection", socket);
      socket.resume();
    });
    return socket;
  }
}
