/**
 * Addresses of the network port, `HOST:PORT`, and the rule that without TLS nothing leaves this machine
 * (guarantee G9). Hosts are literal addresses, or `localhost`, which is taken as 127.0.0.1 and not looked
 * up: what a resolver would say about it is somebody else's decision.
 */
import { isIP } from "node:net";
import { SynodError } from "../../errors.ts";

export interface TcpAddress {
  readonly host: string;
  readonly port: number;
}

/** The address, if it is well formed. A host's name is left to the resolver: over TLS it proves nothing. */
export function parseAddress(address: string): TcpAddress {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(address);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new SynodError(
      "invalid_argument",
      `${JSON.stringify(address)} is not an address such as 127.0.0.1:7000 or [::1]:7000`,
    );
  }
  const host = match[1] ?? match[2]!;
  return { host: host === "localhost" ? "127.0.0.1" : host, port };
}

/** The address, if it is well formed and on loopback. */
export function loopbackAddress(address: string): TcpAddress {
  const parsed = parseAddress(address);
  if (isLoopback(parsed.host)) return parsed;
  throw new SynodError(
    "failed_precondition",
    `${address} is beyond this machine, where links must be TLS: give the node a certificate (--tls-cert, --tls-key, --tls-ca; \`synod certs\` makes one)`,
  );
}

export function formatAddress(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function isLoopback(host: string): boolean {
  return host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}
