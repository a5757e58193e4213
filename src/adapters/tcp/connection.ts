/** One connection of the network port: a TCP socket, or the TLS session on one. */
import type { Socket } from "node:net";
import type { CloseReason, Connection, ConnectionEvents } from "../../ports/network.ts";
import { Fifo } from "../../values/fifo.ts";
import { formatAddress } from "./address.ts";

/** What a socket holds before `send` says to stop. */
const highWaterMark = 64 * 1024;

/** What a socket is made with. */
export const socketOptions: { readonly allowHalfOpen: true; readonly highWaterMark: number } = {
  allowHalfOpen: true,
  highWaterMark,
};

export class SocketConnection implements Connection {
  readonly remote: string;
  readonly provenNodes: readonly string[] | undefined;
  readonly #socket: Socket;
  /**
   * What the socket gets when it has passed on what it has. It would write all that it holds in one go, and count nothing
   * of that as passed on until it is all gone: megabytes on a slow way look like a peer that does not read.
   */
  #waiting: Fifo<Uint8Array> = new Fifo();
  #waitingBytes = 0;
  #ending = false;
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
    socket.on("drain", () => {
      if (this.#feed() && !this.#ending) this.#events?.onDrain();
    });
    socket.once("close", () => this.#onClose());
  }

  get bufferedBytes(): number {
    return this.#waitingBytes + this.#socket.writableLength;
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
    socket.once("end", () => events.onEnd());
    socket.resume();
  }

  send(bytes: Uint8Array): boolean {
    if (!this.#socket.writable || this.#ending) return true;
    if (this.#waiting.length === 0 && bytes.length <= highWaterMark && !this.#socket.writableNeedDrain) {
      return this.#socket.write(bytes);
    }
    for (let from = 0; from < bytes.length; from += highWaterMark) {
      this.#waiting.add(bytes.subarray(from, from + highWaterMark));
    }
    this.#waitingBytes += bytes.length;
    return this.#feed();
  }

  /** Gives the socket as much as it should hold; false when it is going to say that it has passed that on. */
  #feed(): boolean {
    const socket = this.#socket;
    while (this.#waiting.length > 0 && !socket.writableNeedDrain) {
      const bytes = this.#waiting.take()!;
      this.#waitingBytes -= bytes.length;
      socket.write(bytes);
    }
    const more = !socket.writableNeedDrain;
    if (this.#ending && this.#waiting.length === 0) socket.end();
    return more;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#ending = true;
    if (this.#waiting.length === 0) this.#socket.end();
  }

  destroy(message: string): void {
    if (this.#socket.destroyed) return;
    this.#destroyed = message;
    this.#cut();
  }

  #onClose(): void {
    this.#waiting = new Fifo();
    this.#waitingBytes = 0;
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
