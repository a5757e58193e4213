/**
 * The network port between machines: TLS 1.3 in which both sides show a certificate of the system's authority. It says
 * of every connection for which nodes that certificate is; the handshake of the links holds the peer to it.
 */
import type { Server, Socket } from "node:net";
import { createServer, type TLSSocket, connect as tlsConnect } from "node:tls";
import type { Connection, Listener, Network } from "../../ports/network.ts";
import { parseAddress, type TcpAddress } from "./address.ts";
import { SocketConnection, socketOptions } from "./connection.ts";
import { nodesOf, type TlsIdentity } from "./identity.ts";
import { bind, established } from "./network.ts";

/** A stranger has this long to show a certificate, ms (safety: 2 s in all before authentication). */
const handshakeMs = 2_000;
/** Strangers that may be about it at the same time; more are cut off. */
const handshakesMax = 64;

/** A network on TLS. Addresses may be beyond this machine, and host names. */
export function tlsNetwork(identity: TlsIdentity): Network {
  return {
    listen: (address, onConnection) => listen(identity, address, onConnection),
    connect: (address, timeoutMs) => connect(identity, address, timeoutMs),
  };
}

async function listen(
  identity: TlsIdentity,
  address: string,
  onConnection: (connection: Connection) => void,
): Promise<Listener> {
  const place: TcpAddress = parseAddress(address);
  const { cert, key, ca } = identity.material;
  const server = createServer({
    ...socketOptions,
    cert,
    key,
    ca,
    minVersion: "TLSv1.3",
    requestCert: true,
    rejectUnauthorized: true,
    handshakeTimeout: handshakeMs,
    noDelay: true,
  });
  identity.onChanged((changed) =>
    server.setSecureContext({ cert: changed.cert, key: changed.key, ca: changed.ca, minVersion: "TLSv1.3" }),
  );
  boundHandshakes(server);
  server.on("secureConnection", (socket) => onConnection(secured(socket)));
  return await bind(server, address, place);
}

/** Bounds the connections that have shown no certificate yet. */
function boundHandshakes(server: Server): void {
  const pending = new Set<string>();
  server.on("connection", (raw: Socket) => {
    // Before there is a session nobody else listens for what goes wrong (rule S12).
    raw.on("error", () => {});
    const ports = portsOf(raw);
    if (pending.size >= handshakesMax) raw.destroy();
    else pending.add(ports);
    raw.once("close", () => pending.delete(ports));
  });
  server.on("secureConnection", (socket) => pending.delete(portsOf(socket)));
  server.on("tlsClientError", (_error, socket: TLSSocket) => {
    pending.delete(portsOf(socket));
    socket.destroy();
  });
}

/** Names a connection: a port of the other side is in one connection to this server at a time. */
function portsOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

async function connect(identity: TlsIdentity, address: string, timeoutMs: number): Promise<Connection> {
  const socket = tlsConnect({
    ...socketOptions,
    ...parseAddress(address),
    secureContext: identity.material.context,
    rejectUnauthorized: true,
    // The name that counts is the node's id, which the links' handshake compares: an address proves nothing.
    checkServerIdentity: () => undefined,
  }).setNoDelay(true);
  // Nothing may be delivered before the holder says who listens.
  socket.pause();
  await established(socket, "secureConnect", address, timeoutMs);
  return secured(socket);
}

/** A socket under a TLS session cannot be reset by itself, so a cut is an end: the port's contract says what that means. */
function secured(socket: TLSSocket): Connection {
  const { subjectaltname } = socket.getPeerCertificate();
  return new SocketConnection(socket, {
    cut: () => socket.destroy(),
    provenNodes: nodesOf({ subjectAltName: subjectaltname }),
  });
}
