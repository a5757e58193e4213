/** The network port on TCP sockets of this machine. */
import { type AddressInfo, createServer, type Server, Socket } from "node:net";
import { SynodError } from "../../errors.ts";
import type { CloseReason, Connection, ConnectionEvents, Listener, Network } from "../../ports/network.ts";
import { formatAddress, loopbackAddress } from "./address.ts";

/** The high water mark is what a socket holds before `send` says to stop. */
const socketOptions = { allowHalfOpen: true, highWaterMark: 64 * 1024 } as const;

/** A network on TCP. */
export function tcpNetwork(): Network {
  return { listen, connect };
}

function listen(address: string, onConnection: (connection: Connection) => void): Promise<Listener> {
  return new Promise((resolve, reject) => {
    const { host, port } = loopbackAddress(address);
    const server = createServer({ ...socketOptions, noDelay: true, pauseOnConnect: true });
    server.on("connection", (socket) => onConnection(new TcpConnection(socket)));
    server.once("error", (cause: NodeJS.ErrnoException) => reject(listenError(address, cause)));
    server.listen({ host, port, exclusive: true }, () => {
      // From here on an error concerns one connection that could not be taken; the peer dials again.
      server.removeAllListeners("error").on("error", () => {});
      resolve({
        address: formatAddress(host, (server.address() as AddressInfo).port),
        close: () => closeServer(server),
      });
    });
  });
}

/** `Server.close` reports when the last connection has ended; the address is free at once. */
function closeServer(server: Server): Promise<void> {
  server.close();
  return Promise.resolve();
}

function listenError(address: string, cause: NodeJS.ErrnoException): SynodError {
  if (cause.code === "EADDRINUSE") return new SynodError("already_exists", `${address} is in use`, { cause });
  return new SynodError("unavailable", `cannot listen on ${address}: ${cause.message}`, { cause });
}

function connect(address: string, timeoutMs: number): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const { host, port } = loopbackAddress(address);
    const socket = new Socket(socketOptions).setNoDelay(true).connect({ host, port });
    // Nothing may be delivered before the holder says who listens.
    socket.pause();
    const fail = (message: string, cause?: Error) => {
      clearTimeout(timer);
      socket.destroy();
      reject(new SynodError("unavailable", `cannot connect to ${address}: ${message}`, { cause }));
    };
    const timer = setTimeout(() => fail(`no answer within ${timeoutMs} ms`), timeoutMs);
    const onError = (cause: Error) => fail(cause.message, cause);
    socket.on("error", onError);
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.off("error", onError);
      resolve(new TcpConnection(socket));
    });
  });
}

class TcpConnection implements Connection {
  readonly remote: string;
  readonly #socket: Socket;
  #events: ConnectionEvents | undefined;
  #failure: string | undefined;
  #destroyed: string | undefined;
  /** Set when the connection closed before anybody listened. */
  #closed: CloseReason | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
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
    // A reset rather than an orderly end, so that the other side does not take what was cut for all there was.
    this.#socket.resetAndDestroy();
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
