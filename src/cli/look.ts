/** `synod status` and `synod inspect`: look at a running system. */
import type { EntityReport, NodeReport, SystemReport } from "../admin/target.ts";
import { findRunning, type WhichSystem } from "./running.ts";

export interface LookOptions extends WhichSystem {
  readonly json: boolean;
}

export async function status(options: LookOptions): Promise<void> {
  const { report } = await findRunning(options);
  process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : statusText(report));
}

export async function inspect(service: string, key: string, options: LookOptions): Promise<void> {
  const { client } = await findRunning(options);
  const entity = await client.inspect(service, key);
  process.stdout.write(options.json ? `${JSON.stringify(entity)}\n` : entityText(entity));
}

function statusText({ system, store, http, supervisorPid, services, nodes }: SystemReport): string {
  const facts = {
    system,
    http: http ?? "-",
    store,
    services: services.map(({ name }) => name).join(", "),
    supervisor: `pid ${supervisorPid}`,
  };
  const columns = ["node", "pid", "state", "shards", "entities", "in flight", "commands", "queries", "per commit"];
  return `${fieldLines(facts)}\n${table([columns, ...nodes.map(nodeRow)])}`;
}

function nodeRow({ id, pid, state, restarts, status: own }: NodeReport): string[] {
  const figures = own
    ? [own.shardsOwned, own.entitiesInMemory, own.callsInFlight, own.commands, own.queries].map(String)
    : ["-", "-", "-", "-", "-"];
  const shown = restarts > 0 ? `${state} (${restarts} restarts)` : state;
  return [id, String(pid ?? "-"), shown, ...figures, own ? own.commandsPerCommit.toFixed(1) : "-"];
}

function entityText({ service, key, shard, owner, epoch, version, stateVersion, state, active, queued }: EntityReport) {
  return fieldLines({
    entity: `${service} ${JSON.stringify(key)}`,
    shard: `${shard}, owned by ${owner ?? "nobody"} in epoch ${epoch}`,
    version: version === 0 ? "0 (nothing stored: this is the initial state)" : String(version),
    "state version": String(stateVersion),
    memory: active ? `active, ${queued} queued` : "not active",
    state: JSON.stringify(state, undefined, 2),
  });
}

function fieldLines(fields: Record<string, string>): string {
  const width = Math.max(...Object.keys(fields).map((name) => name.length));
  return Object.entries(fields)
    .map(([name, value]) => `${name.padEnd(width)}  ${value}\n`)
    .join("");
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column]!)).join("  "));
  return lines.map((line) => `${line.trimEnd()}\n`).join("");
}
