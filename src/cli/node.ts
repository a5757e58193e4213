/** `synod node`: one node in the foreground, for containers and for several of them by hand. */
import { hostname } from "node:os";
import { createLog, type LogOptions } from "../adapters/log/pino.ts";
import { tcpNetwork } from "../adapters/tcp/network.ts";
import { SynodError } from "../errors.ts";
import { type HostedNode, hostNode } from "../host/hosted-node.ts";
import { parseStoreUrl } from "../host/store-location.ts";
import { loadSystem } from "../host/system-file.ts";
import type { ListenTarget } from "../ports/gateway.ts";
import { isName } from "../values/ids.ts";

export interface NodeCommandOptions {
  readonly store: string;
  readonly listen: string;
  readonly id: string;
  readonly port?: number;
  readonly drainSeconds: number;
  readonly json: boolean;
  readonly logFormat?: LogOptions["format"];
  readonly verbose: boolean;
}

/** The machine's name, as far as it can name a node. */
export function defaultNodeId(): string {
  const id = hostname().replaceAll(/[^a-zA-Z0-9_-]/g, "-");
  return isName(id) ? id : "node-1";
}

export async function node(systemFile: string, options: NodeCommandOptions): Promise<void> {
  if (!isName(options.id)) {
    throw new SynodError("invalid_argument", `${options.id} cannot name a node: use letters, digits, - and _.`);
  }
  const log = createLog({
    format: options.logFormat ?? (options.json ? "json" : "text"),
    level: options.verbose ? "debug" : "info",
    name: options.id,
  });
  const system = await loadSystem(systemFile);
  const store = parseStoreUrl(options.store, system.name);
  if (store.kind === "memory") {
    throw new SynodError("invalid_argument", "A store in memory cannot be shared by several nodes: use sqlite:PATH.");
  }
  const [first, ...others] = system.adapters;
  const listen: ListenTarget[] =
    first === undefined ? [] : [{ host: first.address.host, port: options.port ?? first.address.port }];
  const hosted = await hostNode({
    node: options.id,
    system,
    store,
    log,
    adapters: first === undefined ? [] : [first, ...others],
    listen,
    network: { network: tcpNetwork(), listen: options.listen },
  });
  stopOnSignal(hosted, options.drainSeconds * 1_000);
  printReady(hosted, options);
  const reason = await hosted.stopped;
  if (reason) throw reason;
  await hosted.stop(0);
}

function stopOnSignal(hosted: HostedNode, drainMs: number): void {
  let asked = false;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (asked) process.exit(1);
      asked = true;
      void hosted.stop(drainMs);
    });
  }
}

function printReady({ node: running, urls }: HostedNode, { id, json }: NodeCommandOptions): void {
  const { address } = running.status();
  const line = json
    ? JSON.stringify({ event: "ready", http: urls[0] ?? null, nodes: [{ id, pid: process.pid, address }] })
    : `${id} is ready${urls[0] ? ` at ${urls[0]}` : ""} (links at ${address}). Ctrl-C stops it.`;
  process.stdout.write(`${line}\n`);
}
