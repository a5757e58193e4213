/** `synod up`: a supervisor with its nodes and its admin API, until Ctrl-C or a reason to stop. */

import { createLog, type LogOptions } from "../adapters/log/pino.ts";
import { adminFileEnding, makeToken, readAdminFile, removeAdminFile, writeAdminFile } from "../admin/admin-file.ts";
import { type AdminServer, startAdminServer } from "../admin/server.ts";
import { type SupervisedPlace, Supervisor } from "../host/supervisor.ts";
import { onInterrupt } from "./interrupt.ts";
import { adminTarget, httpUrl, type Measured, meterFor, stopMeasured } from "./supervised-target.ts";

export interface UpOptions {
  readonly store?: string;
  readonly port?: number;
  readonly adminPort: number;
  readonly json: boolean;
  readonly logFormat?: LogOptions["format"];
  readonly verbose: boolean;
  readonly drainSeconds: number;
  readonly nodes: number;
  readonly drills: boolean;
}

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
    drills: options.drills,
    ...(options.store !== undefined && { store: options.store }),
    ...(options.port !== undefined && { port: options.port }),
  });
  const measured: Measured = { meter: undefined };
  const interrupted = onInterrupt({
    first: () => {
      supervisor.announceStop();
      void stopMeasured(measured).finally(() => supervisor.stop(drainMs));
    },
    again: () => supervisor.kill(),
  });
  try {
    await run(supervisor, options, measured);
  } catch (error) {
    await supervisor.stop(drainMs);
    if (!interrupted()) throw error;
  }
}

async function run(supervisor: Supervisor, options: UpOptions, measured: Measured): Promise<void> {
  const place = await supervisor.prepare();
  const urls: string[] = [];
  const token = makeToken();
  const target = adminTarget(supervisor, place, urls, measured, options.drills);
  const admin = await startAdminServer({ port: options.adminPort, token, target });
  const path = `${place.beside}${adminFileEnding}`;
  try {
    await writeAdminFile(path, { system: place.system.name, url: admin.url, token, pid: process.pid });
    urls.push(...(await supervisor.start()));
    const format = options.logFormat ?? (options.json ? "json" : "text");
    const log = createLog({ format, level: "info", name: "availability" });
    measured.meter = meterFor(supervisor, place, urls, { log, drills: options.drills });
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
