/** The network port on TCP sockets of this machine. Between machines it is `tls-network.ts`. */
import { type AddressInfo, createServer, type Server, Socket } from "node:net";
import { SynodError } from "../../errors.ts";
import type { Connection, Listener, Network } from "../../ports/network.ts";
import { formatAddress, loopbackAddress, type TcpAddress } from "./address.ts";
import { SocketConnection, socketOptions } from "./connection.ts";

/** A network on TCP, for loopback only: it proves and hides nothing. */
export function tcpNetwork(): Network {
  return { listen, connect };
}

function listen(address: string, onConnection: (connection: Connection) => void): Promise<Listener> {
  return new Promise((resolve, reject) => {
    const place = loopbackAddress(address);
    const server = createServer({ ...socketOptions, noDelay: true, pauseOnConnect: true });
    server.on("connection", (socket) => onConnection(plain(socket)));
    bind(server, address, place).then(resolve, reject);
  });
}

/** Binds a server; used for TLS as well. */
export function bind(server: Server, address: string, { host, port }: TcpAddress): Promise<Listener> {
  return new Promise((resolve, reject) => {
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
  if (cause.code === "EADDRINUSE") {
    const advice = "stop what listens there, or let links listen elsewhere (--listen; port 0 is a free one)";
    return new SynodError("already_exists", `${address} is in use: ${advice}`, { cause });
  }
  return new SynodError("unavailable", `cannot listen on ${address}: ${cause.message}`, { cause });
}

function connect(address: string, timeoutMs: number): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const socket = new Socket(socketOptions).setNoDelay(true).connect(loopbackAddress(address));
    // Nothing may be delivered before the holder says who listens.
    socket.pause();
    established(socket, "connect", address, timeoutMs).then(() => resolve(plain(socket)), reject);
  });
}

/** Resolves at the event by which a dialled socket stands; a socket on which it does not come is destroyed. */
export function established(socket: Socket, event: string, address: string, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (message: string, cause?: Error) => {
      clearTimeout(timer);
      socket.destroy();
      reject(new SynodError("unavailable", `cannot connect to ${address}: ${message}`, { cause }));
    };
    const timer = setTimeout(() => fail(`no answer within ${timeoutMs} ms`), timeoutMs);
    const onError = (cause: Error) => fail(cause.message, cause);
    socket.on("error", onError);
    socket.once(event, () => {
      clearTimeout(timer);
      socket.off("error", onError);
      resolve();
    });
  });
}

function plain(socket: Socket): Connection {
  return new SocketConnection(socket, { cut: () => socket.resetAndDestroy(), provenNodes: undefined });
}
