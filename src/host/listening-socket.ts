/**
 * A listening socket that outlives the nodes that answer on it. The supervisor binds the address and keeps
 * the socket; each node process gets it too and accepts from it. While no node lives, the kernel completes
 * connections and queues them for the next one, so that a client waits instead of being refused.
 *
 * How: `net._createServerHandle` binds without listening, as node:cluster does. The supervisor must not
 * listen itself, or libuv would accept connections there, and no public function takes that back. So the
 * first thing that a node process does with its socket is to listen and to close its own copy at once
 * (`holdSocket`), before its event loop could accept: a socket keeps listening for as long as one process
 * has it open. node:cluster itself would close the socket together with the last node.
 */

import { lookup } from "node:dns/promises";
import * as net from "node:net";
import { createServer, type Server } from "node:net";
import { getSystemErrorName } from "node:util";
import { SynodError } from "../errors.ts";

/** A raw socket of node:net, which can be sent to a child process and passed to `server.listen`. */
interface RawSocket {
  getsockname(into: { address?: string; family?: string; port?: number }): number;
  close(): void;
}

export interface ListeningSocket {
  readonly host: string;
  /** The bound port, also where port 0 was asked for. */
  readonly port: number;
  /** To be sent to a node process; node:child_process takes it, though its types do not say so. */
  readonly handle: Server;
  close(): void;
}

/** Binds the address, or says in one sentence why that is impossible. */
export async function bindSocket(host: string, port: number): Promise<ListeningSocket> {
  const address = await addressOf(host, port);
  const create = (net as unknown as { _createServerHandle: CreateServerHandle })._createServerHandle;
  const socket = create(address, port, net.isIPv6(address) ? 6 : 4);
  if (typeof socket === "number") throw explainListenError(host, port, getSystemErrorName(socket));
  // libuv keeps "address in use" back until the socket's name is asked for.
  const bound: { port?: number } = {};
  const status = socket.getsockname(bound);
  if (status !== 0) {
    socket.close();
    throw explainListenError(host, port, getSystemErrorName(status));
  }
  return { host, port: bound.port!, handle: socket as unknown as Server, close: () => socket.close() };
}

async function addressOf(host: string, port: number): Promise<string> {
  if (net.isIP(host)) return host;
  const found = await lookup(host).catch(() => undefined);
  if (!found) throw explainListenError(host, port, "EADDRNOTAVAIL");
  return found.address;
}

type CreateServerHandle = (host: string, port: number, family: 4 | 6) => RawSocket | number;

/** Brings a socket from the supervisor to listen, and gives this process's copy back. */
export function holdSocket(handle: object, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => reject(explainListenError(host, port, error.code ?? "")));
    server.listen(handle);
    server.close((error) => {
      if (!error) resolve();
    });
  });
}

export function listenAddress(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** Why nobody can listen at an address. */
export function explainListenError(host: string, port: number, errorName: string): SynodError {
  const reason = listenErrors[errorName] ?? `cannot be listened at (${errorName})`;
  return new SynodError("failed_precondition", `The address ${listenAddress(host, port)} ${reason}.`);
}

const listenErrors: Record<string, string> = {
  EADDRINUSE:
    "is in use by another program: stop that, or choose another port (--port, or http({ port }) in the system file; 0 takes a free one)",
  EACCES: "may not be used by this user: choose a port above 1023",
  EADDRNOTAVAIL: "does not belong to this machine: choose an address of its own, such as 127.0.0.1",
  EINVAL: "is no IP address with a port: choose one, such as 127.0.0.1:8080",
};
