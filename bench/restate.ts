/**
 * Restate for one run: its server as it comes from its package, alone and on loopback, with its data in the run's
 * folder, and services in this process, which the server calls.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Http2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort } from "./free-port.ts";
import { peer } from "./peers.ts";

interface Restate {
  createEndpointHandler(options: object): (request: unknown, response: unknown) => void;
}

/** A running server with registered services. */
export interface RestateServer {
  /** Where calls come in, `http://127.0.0.1:PORT`. */
  readonly url: string;
  close(): Promise<void>;
}

/** What a client of it needs. */
export interface RestateClient {
  call<Output>(path: string, input: unknown): Promise<Output>;
  close(): Promise<void>;
}

const startMs = 60_000;

export async function startRestate(folder: string, services: readonly unknown[]): Promise<RestateServer> {
  const { createEndpointHandler } = await restateSdk<Restate>();
  const endpoint = createServer(createEndpointHandler({ services }));
  endpoint.listen({ host: "127.0.0.1", port: 0 });
  await once(endpoint, "listening");
  const ports = { node: await freePort(), ingress: await freePort(), admin: await freePort() };
  const server = serverOf(folder, ports);
  const deployment = { uri: `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}` };
  await registered(server, `http://127.0.0.1:${ports.admin}/deployments`, deployment);
  return { url: `http://127.0.0.1:${ports.ingress}`, close: () => stop(server, endpoint) };
}

/** Its SDK, which says on standard output each time that it is called unless it is told not to. */
export function restateSdk<Sdk>(): Promise<Sdk> {
  process.env.RESTATE_LOGGING = "ERROR";
  return peer<Sdk>("@restatedev/restate-sdk");
}

export async function connectRestate(url: string, connections: number): Promise<RestateClient> {
  interface Answer {
    readonly statusCode: number;
    readonly body: { json(): Promise<unknown>; text(): Promise<string> };
  }
  const { Pool } = await peer<{
    Pool: new (url: string, options: object) => { request(request: object): Promise<Answer>; destroy(): Promise<void> };
  }>("undici");
  const pool = new Pool(url, { connections });
  const headers = { "content-type": "application/json" };
  return {
    call: async <Output>(path: string, input: unknown) => {
      const { statusCode, body } = await pool.request({ path, method: "POST", headers, body: JSON.stringify(input) });
      if (statusCode !== 200) throw new Error(`Restate answered ${statusCode}: ${await body.text()}`);
      return (await body.json()) as Output;
    },
    close: () => pool.destroy(),
  };
}

function serverOf(folder: string, ports: Readonly<Record<"node" | "ingress" | "admin", number>>): ChildProcess {
  // What its package installs for this platform stands beside it.
  const platform = `@restatedev/restate-server-${process.platform}-${process.arch}`;
  const program = fileURLToPath(new URL(`./peers/node_modules/${platform}/bin/restate-server`, import.meta.url));
  const env = {
    ...process.env,
    RESTATE_DISABLE_TELEMETRY: "true",
    RESTATE_LOG_FILTER: "error,octocrab=off",
    RESTATE_LISTEN_MODE: "tcp",
    RESTATE_BIND_IP: "127.0.0.1",
    RESTATE_BIND_PORT: String(ports.node),
    RESTATE_ADVERTISED_HOST: "127.0.0.1",
    RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${ports.ingress}`,
    RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${ports.admin}`,
  };
  const words = ["--no-logo", "--base-dir", join(folder, "restate")];
  const server = spawn(program, words, { env, stdio: ["ignore", "ignore", "inherit"] });
  // Whatever ends this process must not leave a server behind.
  const kill = (): void => void server.kill("SIGKILL");
  process.once("exit", kill);
  server.once("exit", () => process.off("exit", kill));
  return server;
}

async function registered(server: ChildProcess, url: string, deployment: object): Promise<void> {
  const headers = { "content-type": "application/json" };
  for (const until = performance.now() + startMs; performance.now() < until; await sleep(50)) {
    if (server.exitCode !== null || server.signalCode !== null) break;
    const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(deployment) }).catch(
      () => undefined,
    );
    if (answer?.ok) return;
  }
  throw new Error("the Restate server did not take the services");
}

async function stop(server: ChildProcess, endpoint: Http2Server): Promise<void> {
  const ended = once(server, "exit");
  server.kill("SIGKILL");
  await ended;
  endpoint.close();
}
