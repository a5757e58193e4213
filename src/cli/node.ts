/** `synod node`: one node in the foreground, for containers and for several of them by hand. */
import { hostname } from "node:os";
import { createLog, type LogOptions } from "../adapters/log/pino.ts";
import { TlsIdentity } from "../adapters/tcp/identity.ts";
import { tcpNetwork } from "../adapters/tcp/network.ts";
import { tlsNetwork } from "../adapters/tcp/tls-network.ts";
import { SynodError } from "../errors.ts";
import { type HostedNode, type HostedNodeOptions, hostNode } from "../host/hosted-node.ts";
import { tellLeftPromises } from "../host/left-promises.ts";
import { parseStoreUrl } from "../host/store-location.ts";
import { loadSystem } from "../host/system-file.ts";
import type { ListenTarget } from "../ports/gateway.ts";
import type { Log } from "../ports/log.ts";
import type { Network } from "../ports/network.ts";
import type { AnySystem } from "../service/model.ts";
import type { SystemSettings } from "../service/settings.ts";
import { isName } from "../values/ids.ts";
import { exitCodes, reportFailure } from "./exit.ts";
import { onInterrupt } from "./interrupt.ts";
import { required, settle, tlsFiles } from "./settings.ts";

export interface NodeCommandOptions {
  readonly store?: string;
  readonly listen?: string;
  readonly advertise?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
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
  // What user code throws where nobody waits for it ends a node, here as under a supervisor.
  process.on("uncaughtException", (error) => process.exit(reportFailure(error, options.verbose)));
  let hosted: HostedNode | undefined;
  let isStarting = false;
  const givesUp = new AbortController();
  const interrupted = onInterrupt({
    first: () => {
      givesUp.abort();
      if (hosted) void hosted.stop(options.drainSeconds * 1_000);
      // Once it may have joined, a start is finished, so that the node can leave in order.
      else if (!isStarting) process.exit(exitCodes.done);
    },
    again: () => process.exit(exitCodes.failed),
  });
  const log = createLog({
    format: options.logFormat ?? (options.json ? "json" : "text"),
    level: options.verbose ? "debug" : "info",
    name: options.id,
  });
  tellLeftPromises(systemFile, log);
  const system = await loadSystem(systemFile);
  isStarting = true;
  hosted = await start(system, options, log, givesUp.signal).catch((error: unknown) => {
    if (interrupted()) process.exit(exitCodes.done);
    throw error;
  });
  if (interrupted()) await hosted.stop(options.drainSeconds * 1_000);
  else printReady(hosted, options);
  const reason = await hosted.stopped;
  if (reason) throw reason;
  await hosted.stop(0);
}

async function start(
  system: AnySystem,
  options: NodeCommandOptions,
  log: Log,
  givesUp: AbortSignal,
): Promise<HostedNode> {
  const { store: _store, listen: _listen, advertise, tlsCert, tlsKey, tlsCa } = options;
  const settings = settle({ store: _store, listen: _listen, advertise, tlsCert, tlsKey, tlsCa }, system.settings);
  const store = parseStoreUrl(required(settings, "store", "--store"), system.name);
  if (store.kind === "memory") {
    throw new SynodError(
      "invalid_argument",
      "A store in memory cannot be shared by several nodes: use sqlite:PATH or postgres://….",
    );
  }
  const first = system.adapters[0]?.address;
  if (options.port !== undefined && !first) {
    throw new SynodError("invalid_argument", `System ${system.name} has no adapter that could take the port.`);
  }
  const listen: ListenTarget[] = first ? [{ host: first.host, port: options.port ?? first.port }] : [];
  return await hostNode({
    node: options.id,
    system,
    store,
    log,
    givesUp,
    adapters: system.adapters,
    listen,
    network: networkOf(settings, options.id, log),
  });
}

/** Without a certificate a node stays on this machine: the network sees to that. */
function networkOf(settings: SystemSettings, node: string, log: Log): NonNullable<HostedNodeOptions["network"]> {
  const files = tlsFiles(settings);
  const network: Network = files === undefined ? tcpNetwork() : tlsNetwork(new TlsIdentity(files, node, log));
  const listen = required(settings, "listen", "--listen");
  return { network, listen, ...(settings.advertise !== undefined && { advertise: settings.advertise }) };
}

function printReady({ node: running, urls }: HostedNode, { id, json }: NodeCommandOptions): void {
  const { address } = running.status();
  const line = json
    ? JSON.stringify({ event: "ready", http: urls[0] ?? null, nodes: [{ id, pid: process.pid, address }] })
    : `${id} is ready${urls[0] ? ` at ${urls[0]}` : ""} (links at ${address}). Ctrl-C stops it.`;
  process.stdout.write(`${line}\n`);
}
