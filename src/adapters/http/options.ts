/** What can be set about the HTTP adapter, with its bounds (rule S14), and the defaults. */
import type { IncomingHttpHeaders } from "node:http";
import { SynodError } from "../../errors.ts";

/** Bounds of the adapter, each with its unit last. */
export interface HttpLimits {
  /** Body of one request, counted as it streams in. */
  readonly bodyBytesMax: number;
  /** Request line and headers of one request together; a query's `?input=` included. */
  readonly headerBytesMax: number;
  /** How long a request's headers may take. */
  readonly headersTimeoutMs: number;
  /** How long a whole request may take to arrive. */
  readonly requestTimeoutMs: number;
  /** How long `authenticate` may take. */
  readonly authenticateTimeoutMs: number;
  /** How long a connection without a request stays open. */
  readonly keepAliveTimeoutMs: number;
  /** Open connections; more are closed as soon as they come. */
  readonly connectionsMax: number;
  /** How long a drain that passes no connections on leaves idle ones open, so that what is under way is still answered. */
  readonly drainGraceMs: number;
}

/** What `authenticate` sees of a request: its head. */
export interface HttpRequestHead {
  readonly method: string;
  /** The request target as it was sent: `/account/alice/deposit`. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

export interface HttpOptions {
  /** Where to listen; loopback unless there is TLS. Default 127.0.0.1. */
  readonly host?: string;
  /** Default 8080; 0 takes a free port. */
  readonly port?: number;
  /** Certificate chain and private key, as PEM. */
  readonly tls?: { readonly cert: string | Buffer; readonly key: string | Buffer };
  /** Listens beyond loopback without TLS, for a network that is trusted or a proxy that does TLS. */
  readonly insecure?: boolean;
  /**
   * Says who calls: a principal of up to 1,024 bytes, which scopes idempotency keys and is `ctx.request.principal`. Whatever it
   * throws is answered with 401, except a `SynodError` with a status code, which is answered as it is.
   * Without it everybody is `anonymous`.
   */
  readonly authenticate?: (request: HttpRequestHead) => string | Promise<string>;
  /** The `WWW-Authenticate` header of a 401. Default `Bearer`. */
  readonly challenge?: string;
  readonly limits?: Partial<HttpLimits>;
}

/** The options with the defaults filled in. */
export interface HttpSettings {
  readonly host: string;
  readonly port: number;
  readonly tls: HttpOptions["tls"];
  readonly insecure: boolean;
  readonly authenticate: HttpOptions["authenticate"];
  readonly challenge: string;
  readonly limits: HttpLimits;
}

const defaultHttpLimits: HttpLimits = {
  bodyBytesMax: 1024 * 1024,
  headerBytesMax: 16 * 1024,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  authenticateTimeoutMs: 10_000,
  keepAliveTimeoutMs: 60_000,
  connectionsMax: 10_000,
  drainGraceMs: 250,
};

/** Fills the defaults in and refuses what cannot be meant, when the system file is loaded. */
export function settingsOf(options: HttpOptions): HttpSettings {
  const { host = "127.0.0.1", port = 8080, tls, insecure = false, authenticate, challenge = "Bearer" } = options;
  if (typeof host !== "string" || host === "") throw invalid("host", host, "a name or an address");
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw invalid("port", port, "an integer from 0 to 65535");
  const limits = { ...defaultHttpLimits, ...options.limits };
  for (const [name, value] of Object.entries(limits)) {
    if (!Object.hasOwn(defaultHttpLimits, name))
      throw invalid(`limits.${name}`, value, "left out: there is no such limit");
    if (!Number.isInteger(value) || value < 1) throw invalid(`limits.${name}`, value, "an integer above 0");
  }
  if (limits.headersTimeoutMs > limits.requestTimeoutMs) {
    throw invalid("limits.headersTimeoutMs", limits.headersTimeoutMs, "no longer than limits.requestTimeoutMs");
  }
  return { host, port, tls, insecure, authenticate, challenge, limits };
}

function invalid(name: string, value: unknown, expected: string): SynodError {
  return new SynodError("invalid_argument", `http(): ${name} is ${String(value)}, and must be ${expected}`);
}
