/** One connection of the network port: a TCP socket, or the TLS session on one. */
import type { Socket } from "node:net";
import type { CloseReason, Connection, ConnectionEvents } from "../../ports/network.ts";
import { formatAddress } from "./address.ts";

/** What a socket is made with. The high water mark is what it holds before `send` says to stop. */
export const socketOptions: { readonly allowHalfOpen: true; readonly highWaterMark: number } = {
  allowHalfOpen: true,
  highWaterMark: 64 * 1024,
};

export class SocketConnection implements Connection {
  readonly remote: string;
  readonly provenNodes: readonly string[] | undefined;
  readonly #socket: Socket;
  /** Cuts the connection with a reset: an orderly end would pass for all that there was to say. */
  readonly #cut: () => void;
  #events: ConnectionEvents | undefined;
  #failure: string | undefined;
  #destroyed: string | undefined;
  /** Set when the connection closed before anybody listened. */
  #closed: CloseReason | undefined;

  constructor(
    socket: Socket,
    { cut, provenNodes }: { readonly cut: () => void; readonly provenNodes: readonly string[] | undefined },
  ) {
    this.#socket = socket;
    this.#cut = cut;
    this.provenNodes = provenNodes;
    this.remote = formatAddress(socket.remoteAddress ?? "?", socket.remotePort ?? 0);
    // An error handler from the first moment on: a reset must never bring a process down (rule S12).
    socket.on("error", (error) => {
      this.#failure ??= error.message;
    });
    socket.once("close", () => this.#onClose());
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  start(events: ConnectionEvents): void {
    this.#events = events;
    if (this.#closed !== undefined) {
      const reason = this.#closed;
      process.nextTick(() => events.onClose(reason));
      return;
    }
    const socket = this.#socket;
    socket.on("data", (bytes) => events.onData(bytes as unknown as Uint8Array));
    socket.on("drain", () => events.onDrain());
    socket.once("end", () => events.onEnd());
    socket.resume();
  }

  send(bytes: Uint8Array): boolean {
    if (!this.#socket.writable) return true;
    return this.#socket.write(bytes);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  destroy(message: string): void {
    if (this.#socket.destroyed) return;
    this.#destroyed = message;
    this.#cut();
  }

  #onClose(): void {
    this.#closed = this.#reason();
    this.#events?.onClose(this.#closed);
  }

  #reason(): CloseReason {
    if (this.#destroyed !== undefined) return { kind: "destroyed", message: this.#destroyed };
    if (this.#failure !== undefined) return { kind: "lost", message: this.#failure };
    const socket = this.#socket;
    if (socket.readableEnded && socket.writableFinished) return { kind: "ended", message: "both sides ended" };
    return { kind: "lost", message: "the connection closed" };
  }
}
