/** Listening: on an address or on a handle that somebody else bound, and beyond loopback only on purpose (G9). */
import type { Server } from "node:http";
import { type AddressInfo, BlockList, isIP } from "node:net";
import { SynodError } from "../../errors.ts";
import type { ListenTarget } from "../../ports/gateway.ts";
import type { HttpSettings } from "./options.ts";

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** Listens, and resolves with the URL. Rejects with one sentence that says what to do. */
export async function listen(server: Server, target: ListenTarget, settings: HttpSettings): Promise<string> {
  const scheme = settings.tls === undefined ? "http" : "https";
  const host = "handle" in target ? new URL(target.url).hostname.replace(/^\[(.*)\]$/, "$1") : target.host;
  if (settings.tls === undefined && !settings.insecure && !isLoopback(host)) throw beyondLoopback(host);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  try {
    server.listen("handle" in target ? target.handle : { host, port: target.port }, resolve);
    await promise;
  } catch (cause) {
    throw listenError(cause as NodeJS.ErrnoException, "handle" in target ? target.url : `${host}:${target.port}`);
  }
  server.off("error", reject);
  if ("handle" in target) return target.url.replace(/^https?:/, `${scheme}:`);
  const { port } = server.address() as AddressInfo;
  return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** Whether only this machine reaches the host. A name that could stand for anything is beyond loopback. */
export function isLoopback(host: string): boolean {
  const version = isIP(host);
  return version === 0 ? host === "localhost" : loopback.check(host, version === 4 ? "ipv4" : "ipv6");
}

function beyondLoopback(host: string): SynodError {
  return new SynodError(
    "failed_precondition",
    `HTTP would listen on ${host}, beyond this machine, without TLS: give http() a certificate ` +
      "(tls: { cert, key }), or say insecure: true if the network is trusted",
  );
}

function listenError(cause: NodeJS.ErrnoException, address: string): SynodError {
  switch (cause.code) {
    case "EADDRINUSE":
      return new SynodError(
        "failed_precondition",
        `HTTP cannot listen on ${address}: the port is in use; stop what listens there, or choose another one (--port, or http({ port }); 0 takes a free one)`,
        { cause },
      );
    case "EACCES":
      return new SynodError("permission_denied", `HTTP may not listen on ${address}: choose a port above 1023`, {
        cause,
      });
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return new SynodError("invalid_argument", `HTTP cannot listen on ${address}: this machine has no such address`, {
        cause,
      });
    default:
      return new SynodError("unavailable", `HTTP cannot listen on ${address}: ${cause.message}`, { cause });
  }
}
