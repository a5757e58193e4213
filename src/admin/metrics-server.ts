/**
 * The meters for whoever scrapes them from another machine. The admin API stays on loopback, because it can do anything;
 * here there is nothing but `GET /metrics`, which changes nothing, and it wants the token all the same.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { SynodError, toSynodError } from "../errors.ts";
import { prometheusContentType } from "./prometheus.ts";
import { knowsToken } from "./server.ts";

/** PEM texts. */
export interface CertificateTexts {
  readonly cert: string;
  readonly key: string;
}

export interface MetricsServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly token: string;
  /** In Prometheus' text format. */
  readonly metrics: () => Promise<string>;
  /** Without it the meters travel in plain text: for loopback. */
  readonly certificate?: CertificateTexts;
}

export interface MetricsServer {
  readonly url: string;
  /** Later connections are made with that certificate. */
  renew(certificate: CertificateTexts): void;
  close(): Promise<void>;
}

const limits = { headersTimeout: 10_000, requestTimeout: 30_000 };
const connectionsMax = 20;

/** Listens; rejects with one sentence when that is not possible. */
export async function startMetricsServer(options: MetricsServerOptions): Promise<MetricsServer> {
  const { host, port, certificate } = options;
  const answer = (request: IncomingMessage, response: ServerResponse): void => void respond(options, request, response);
  const secure = certificate && createTlsServer({ ...limits, ...secureOptions(certificate) }, answer);
  const server: Server | TlsServer = secure ?? createServer(limits, answer);
  server.maxConnections = connectionsMax;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const sentence = `The meters cannot be served on ${host}:${port} (${cause.code}): choose another address with --metrics-listen.`;
      reject(new SynodError("failed_precondition", sentence, { cause }));
    });
    server.listen({ host, port }, resolve);
  });
  const place = host.includes(":") ? `[${host}]` : host;
  return {
    url: `${secure ? "https" : "http"}://${place}:${(server.address() as AddressInfo).port}/metrics`,
    renew: (renewed) => secure?.setSecureContext(secureOptions(renewed)),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function secureOptions({ cert, key }: CertificateTexts) {
  return { cert, key, minVersion: "TLSv1.3" } as const;
}

/** Never rejects. */
async function respond(
  { token, metrics }: MetricsServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const send = (status: number, contentType: string, text: string): void => {
    // A body is not read, and must not be taken for the next request.
    const isLast = status !== 200 || request.headers["content-length"] !== undefined;
    response.writeHead(status, { "content-type": contentType, ...(isLast && { connection: "close" }) }).end(text);
  };
  if (!knowsToken(request, token)) return send(401, "text/plain", "The admin token is wanted as a bearer token.\n");
  if (request.method !== "GET" || request.url !== "/metrics")
    return send(404, "text/plain", "Here is GET /metrics only.\n");
  try {
    send(200, prometheusContentType, await metrics());
  } catch (thrown) {
    send(503, "text/plain", `${toSynodError(thrown).message}\n`);
  }
}
