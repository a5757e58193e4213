/** `synod up`: a supervisor with its nodes and its admin API, until Ctrl-C or a reason to stop. */

import { createLog, type LogOptions } from "../adapters/log/pino.ts";
import { adminFileEnding, makeToken, readAdminFile, removeAdminFile, writeAdminFile } from "../admin/admin-file.ts";
import { type AdminServer, startAdminServer } from "../admin/server.ts";
import type { AdminTarget } from "../admin/target.ts";
import { SynodError } from "../errors.ts";
import { AvailabilityMeter } from "../host/availability/meter.ts";
import { type SupervisedPlace, Supervisor } from "../host/supervisor.ts";
import { within } from "../host/within.ts";
import { onInterrupt } from "./interrupt.ts";

export interface UpOptions {
  readonly store?: string;
  readonly port?: number;
  readonly adminPort: number;
  readonly json: boolean;
  readonly logFormat?: LogOptions["format"];
  readonly verbose: boolean;
  readonly drainSeconds: number;
  readonly nodes: number;
}

/** How much longer than a call its answer may take on its way back from the node. */
const callReserveMs = 2_000;
const callDefaultMs = 10_000;
/** How long the end may wait for what the availability meter has counted to be kept. */
const keepMaxMs = 3_000;
/** How long a node may take for what an operator wants done with pending work: it may have to ask the owner. */
const operateMaxMs = 15_000;

export async function up(systemFile: string, options: UpOptions): Promise<void> {
  const drainMs = options.drainSeconds * 1_000;
  const nodeLog = {
    format: options.logFormat ?? (options.json ? "json" : "text"),
    level: options.verbose ? "debug" : "info",
  } as const;
  const supervisor = new Supervisor({
    systemFile,
    drainMs,
    nodes: options.nodes,
    log: createLog({ ...nodeLog, name: "supervisor" }),
    nodeLog,
    quietStdout: options.json,
    ...(options.store !== undefined && { store: options.store }),
    ...(options.port !== undefined && { port: options.port }),
  });
  const measured: Measured = { meter: undefined };
  const interrupted = onInterrupt({
    first: () => void stopMeasured(measured).finally(() => supervisor.stop(drainMs)),
    again: () => supervisor.kill(),
  });
  try {
    await run(supervisor, options, measured);
  } catch (error) {
    await supervisor.stop(drainMs);
    if (!interrupted()) throw error;
  }
}

/** The availability meter, once there is one. */
interface Measured {
  meter: AvailabilityMeter | undefined;
}

/** What it counted is kept by the nodes, so it goes first; for want of nodes it is lost after a moment. */
async function stopMeasured({ meter }: Measured): Promise<void> {
  if (meter) await within(meter.stop(), keepMaxMs);
}

async function run(supervisor: Supervisor, options: UpOptions, measured: Measured): Promise<void> {
  const place = await supervisor.prepare();
  const urls: string[] = [];
  const token = makeToken();
  const target = adminTarget(supervisor, place, urls, measured);
  const admin = await startAdminServer({ port: options.adminPort, token, target });
  const path = `${place.beside}${adminFileEnding}`;
  try {
    await writeAdminFile(path, { system: place.system.name, url: admin.url, token, pid: process.pid });
    urls.push(...(await supervisor.start()));
    measured.meter = meterFor(supervisor, place, urls, options);
    printReady(supervisor, place, admin, urls, options.json);
    const reason = await supervisor.ended;
    await stopMeasured(measured);
    if (reason) throw reason;
  } finally {
    if ((await readAdminFile(path))?.token === token) await removeAdminFile(path);
    await admin.close();
  }
}

function printReady(
  supervisor: Supervisor,
  { system, store }: SupervisedPlace,
  { url: admin }: AdminServer,
  urls: readonly string[],
  json: boolean,
): void {
  const http = httpUrl(system, urls);
  const line = json
    ? JSON.stringify({ event: "ready", http, admin, nodes: supervisor.nodes })
    : `${system.name} is ready${http ? ` at ${http}` : ""} (${nodesText(supervisor)}, admin ${admin}, store ${store}). Ctrl-C stops it.`;
  process.stdout.write(`${line}\n`);
}

function nodesText({ nodes }: Supervisor): string {
  return nodes.length === 1 ? "1 node" : `${nodes.length} nodes`;
}

/** Where the first HTTP adapter answers. */
function httpUrl({ adapters }: SupervisedPlace["system"], urls: readonly string[]): string | null {
  return urls[adapters.findIndex(({ name }) => name === "http")] ?? null;
}

/** Probes the system from here on, if its file promises an availability and it can be reached over HTTP. */
function meterFor(
  supervisor: Supervisor,
  { system }: SupervisedPlace,
  urls: readonly string[],
  options: UpOptions,
): AvailabilityMeter | undefined {
  const http = urls[system.adapters.findIndex(({ name }) => name === "http")];
  if (system.availability === undefined || http === undefined) return undefined;
  const format = options.logFormat ?? (options.json ? "json" : "text");
  return new AvailabilityMeter({
    system: system.name,
    url: new URL(http),
    targets: system.availability,
    services: system.services.map(({ name }) => name),
    log: createLog({ format, level: "info", name: "availability" }),
    meters: () => supervisor.meters(),
    call: (call) => supervisor.ask("call", call, callDefaultMs),
    surroundings: () => supervisor.serving,
  });
}

function adminTarget(
  supervisor: Supervisor,
  place: SupervisedPlace,
  urls: readonly string[],
  measured: Measured,
): AdminTarget {
  return {
    availability: async () => {
      if (measured.meter) return measured.meter.report();
      const sentence = `System ${place.system.name} promises no availability: add availability: { objective: "99.9%" } to its defineSystem(), and an HTTP adapter.`;
      throw new SynodError("failed_precondition", sentence);
    },
    report: async () => ({
      system: place.system.name,
      store: place.store,
      http: httpUrl(place.system, urls),
      supervisorPid: process.pid,
      services: supervisor.services,
      nodes: await supervisor.report(),
    }),
    meters: () => supervisor.meters(),
    inspect: (service, key) => supervisor.inspect(service, key),
    work: (query) => supervisor.ask("work", query),
    workDetails: (id) => supervisor.ask("workDetails", { id }),
    operate: async (id, action) => void (await supervisor.ask("operate", { id, action }, operateMaxMs)),
    drain: (node) => supervisor.drain(node),
    restart: (node) => supervisor.restart(node),
    call: (call) => supervisor.ask("call", call, (call.timeoutMs ?? callDefaultMs) + callReserveMs),
  };
}
