/**
 * The HTTP adapter: the world calls the services of a system over HTTP/1.1 with JSON.
 *
 * It turns requests into calls of the gateway and its replies into answers, bounds what strangers may send,
 * and drains so that no request fails. It decides nothing about services: schemas, deduplication and
 * deadlines are the runtime's.
 */
import type { AdapterEnvironment, InboundAdapter, RunningAdapter } from "../../ports/gateway.ts";
import { createApp } from "./app.ts";
import { Connections } from "./connections.ts";
import { listen } from "./listen.ts";
import { type HttpOptions, type HttpSettings, settingsOf } from "./options.ts";
import { answerBrokenRequests, createHttpServer, reportDrops } from "./server.ts";

export { type OpenapiOptions, openapiDocument } from "./openapi.ts";
export type { HttpLimits, HttpOptions, HttpRequestHead } from "./options.ts";

/**
 * HTTP for a system; by default on 127.0.0.1:8080.
 *
 * @example
 * ```ts
 * import { http } from "synod/http";
 *
 * const adapter = http({ port: 8081, limits: { bodyBytesMax: 64 * 1024 } });
 * console.assert(adapter.address.port === 8081);
 * ```
 */
export function http(options: HttpOptions = {}): InboundAdapter {
  const settings = settingsOf(options);
  const { host, port } = settings;
  return { name: "http", address: { host, port }, start: (environment) => start(environment, settings) };
}

async function start(environment: AdapterEnvironment, settings: HttpSettings): Promise<RunningAdapter> {
  const { gateway, log, listen: target = { host: settings.host, port: settings.port } } = environment;
  const { tls, limits } = settings;
  const server = createHttpServer(settings, gateway.timeoutMaxMs);
  const connections = new Connections(server, { ...limits, secure: tls !== undefined });
  reportDrops(server, limits.connectionsMax, log);
  const app = await createApp({
    environment,
    settings,
    server,
    connections,
    onBrokenRequest: answerBrokenRequests(connections, limits),
    closing: () => connections.draining || gateway.state === "draining",
  });
  const close = async (): Promise<void> => {
    await connections.close();
    await app.close();
  };
  try {
    const url = await listen(server, target, settings);
    return {
      url,
      drain: (passOn) => connections.drain(passOn),
      adopt: (handle) => connections.adopt(handle),
      traffic: () => connections.traffic,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
