/** `synod node`: one node in the foreground, for containers and for several of them by hand. */
import { hostname } from "node:os";
import { createLog, type LogOptions } from "../adapters/log/pino.ts";
import { TlsIdentity } from "../adapters/tcp/identity.ts";
import { tcpNetwork } from "../adapters/tcp/network.ts";
import { tlsNetwork } from "../adapters/tcp/tls-network.ts";
import { SynodError } from "../errors.ts";
import { type HostedNode, type HostedNodeOptions, hostNode } from "../host/hosted-node.ts";
import { tellLeftPromises } from "../host/left-promises.ts";
import { parseStoreUrl, type StoreLocation, storeName } from "../host/store-location.ts";
import { loadSystem } from "../host/system-file.ts";
import type { ListenTarget } from "../ports/gateway.ts";
import type { Log } from "../ports/log.ts";
import type { Network } from "../ports/network.ts";
import type { AnySystem } from "../service/model.ts";
import type { SystemSettings } from "../service/settings.ts";
import { isName } from "../values/ids.ts";
import { exitCodes, reportFailure } from "./exit.ts";
import { onInterrupt } from "./interrupt.ts";
import { startNodeAdmin } from "./node-admin.ts";
import { startNodeMetrics } from "./node-metrics.ts";
import { nodeTarget } from "./node-target.ts";
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
  readonly adminPort?: string;
  readonly metricsListen?: string;
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
  const system = await loadSystem(systemFile, (words) => log.warn(words));
  const place = placeOf(system, options);
  const drainMs = options.drainSeconds * 1_000;
  const files = tlsFiles(place.settings);
  const identity = files && new TlsIdentity(files, options.id, log);
  const facts = { node: options.id, system, store: storeName(place.store), drainMs, log };
  const target = nodeTarget({ ...facts, hosted: () => hosted });
  const metrics = await startNodeMetrics({ listen: place.settings.metricsListen, identity, target });
  const admin = await startNodeAdmin({
    node: options.id,
    system: system.name,
    store: place.store,
    port: place.settings.adminPort,
    target,
    log,
  });
  try {
    isStarting = true;
    hosted = await start(system, options, place, { identity, log, givesUp: givesUp.signal }).catch((error: unknown) => {
      if (interrupted()) process.exit(exitCodes.done);
      throw error;
    });
    if (interrupted()) await hosted.stop(drainMs);
    else {
      printReady(hosted, (await admin?.publish()) ?? null, options);
      if (metrics) log.info(`the meters are at ${metrics.url}`);
    }
    const reason = await hosted.stopped;
    if (reason) throw reason;
    await hosted.stop(0);
  } finally {
    await admin?.close();
    await metrics?.close();
  }
}

/** Where it runs, once flags, environment and system file are settled. */
interface Place {
  readonly settings: SystemSettings;
  readonly store: StoreLocation;
  readonly listen: readonly ListenTarget[];
}

function placeOf(system: AnySystem, options: NodeCommandOptions): Place {
  const { store: _store, listen: _listen, advertise, tlsCert, tlsKey, tlsCa } = options;
  const { adminPort, metricsListen } = options;
  const given = { store: _store, listen: _listen, advertise, tlsCert, tlsKey, tlsCa, adminPort, metricsListen };
  const settings = settle(given, system.settings);
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
  return { settings, store, listen: first ? [{ host: first.host, port: options.port ?? first.port }] : [] };
}

interface Surroundings {
  readonly identity: TlsIdentity | undefined;
  readonly log: Log;
  readonly givesUp: AbortSignal;
}

function start(
  system: AnySystem,
  { id }: NodeCommandOptions,
  { settings, store, listen }: Place,
  { identity, log, givesUp }: Surroundings,
): Promise<HostedNode> {
  return hostNode({
    node: id,
    system,
    store,
    log,
    givesUp,
    adapters: system.adapters,
    listen,
    network: networkOf(settings, identity),
  });
}

/** Without a certificate a node stays on this machine: the network sees to that. */
function networkOf(
  settings: SystemSettings,
  identity: TlsIdentity | undefined,
): NonNullable<HostedNodeOptions["network"]> {
  const network: Network = identity === undefined ? tcpNetwork() : tlsNetwork(identity);
  const listen = required(settings, "listen", "--listen");
  return { network, listen, ...(settings.advertise !== undefined && { advertise: settings.advertise }) };
}

function printReady({ node: running, urls }: HostedNode, admin: string | null, options: NodeCommandOptions): void {
  const { id, json } = options;
  const { address } = running.status();
  const http = urls[0] ?? null;
  const places = `links at ${address}${admin === null ? "" : `, admin ${admin}`}`;
  const line = json
    ? JSON.stringify({ event: "ready", http, admin, nodes: [{ id, pid: process.pid, address }] })
    : `${id} is ready${http === null ? "" : ` at ${http}`} (${places}). Ctrl-C stops it.`;
  process.stdout.write(`${line}\n`);
}
