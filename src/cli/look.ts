/** `synod status` and `synod inspect`: look at a running system. */
import type {
  EntityReport,
  LinkStatistics,
  MemberStatus,
  NodeReport,
  SystemReport,
  TimerReport,
} from "../admin/target.ts";
import { findRunning, type WhichSystem } from "./running.ts";
import { age, bytes, fieldLines, milliseconds, table } from "./table.ts";
import { receiver, workTable } from "./work.ts";

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
    ...(supervisorPid !== null && { supervisor: `pid ${supervisorPid}` }),
  };
  const tables = [table(nodeColumns, nodes.map(nodeRow))];
  const members = membersOf(nodes);
  if (members.length > 0) tables.push(table(memberColumns, members.map(memberRow)));
  const links = nodes.flatMap(({ id, status: own }) => (own?.links ?? []).map((link) => ({ from: id, link })));
  const dialled = links.filter(({ link }) => link.direction === "dialled");
  if (dialled.length > 0) tables.push(table(linkColumns, dialled.map(linkRow)));
  return [fieldLines(facts), ...tables].join("\n");
}

const nodeColumns = ["node", "pid", "state", "entities", "in flight", "commands", "queries", "per commit"];

function nodeRow({ id, pid, state, restarts, status: own }: NodeReport): string[] {
  const figures = own
    ? [own.entitiesInMemory, own.callsInFlight, own.commands, own.queries].map(String)
    : ["-", "-", "-", "-"];
  const runs = state !== "drained" && state !== "failed" && state !== "stopped";
  const shown = restarts > 0 ? `${state} (died ${restarts} ${restarts === 1 ? "time" : "times"})` : state;
  return [id, runs ? String(pid ?? "-") : "-", shown, ...figures, own ? own.commandsPerCommit.toFixed(1) : "-"];
}

/** As the nodes that answer see them; where their views differ for a moment, each member is shown as first seen. */
function membersOf(nodes: readonly NodeReport[]): readonly MemberStatus[] {
  const members = new Map<number, MemberStatus>();
  for (const { status: own } of nodes) {
    for (const member of own?.members ?? []) {
      if (!members.has(member.incarnation)) members.set(member.incarnation, member);
    }
  }
  return [...members.values()].sort((a, b) => (a.node < b.node ? -1 : 1));
}

const memberColumns = ["member", "incarnation", "links at", "shards", ""];

function memberRow({ node, incarnation, address, shardsOwned, draining }: MemberStatus): string[] {
  return [node, String(incarnation), address ?? "-", String(shardsOwned), draining ? "draining" : ""];
}

const linkColumns = [
  "link",
  "state",
  "round trip",
  "in flight",
  "waiting",
  "queue wait (mean, max)",
  "calls",
  "sent",
  "received",
  "reconnects",
];

function linkRow({ from, link }: { readonly from: string; readonly link: LinkStatistics }): string[] {
  const causes = Object.entries(link.causes).map(([cause, times]) => `${cause} ${times}`);
  return [
    `${from} to ${link.node}`,
    link.phase,
    link.roundTripMs === undefined ? "-" : milliseconds(link.roundTripMs),
    String(link.callsInFlight),
    String(link.queueLength),
    `${milliseconds(link.queueWaitMeanMs)}, ${milliseconds(link.queueWaitMaxMs)}`,
    String(link.calls),
    bytes(link.bytesSent),
    bytes(link.bytesReceived),
    causes.length === 0 ? String(link.reconnects) : `${link.reconnects} (${causes.join(", ")})`,
  ];
}

function entityText(report: EntityReport): string {
  const { service, key, shard, owner, epoch, version, stateVersion, state, work } = report;
  const facts = fieldLines({
    entity: `${service} ${JSON.stringify(key)}`,
    shard: `${shard}, owned by ${owner ?? "nobody"} in epoch ${epoch}`,
    version: version === 0 ? "0 (nothing stored: this is the initial state)" : String(version),
    "state version": String(stateVersion),
    memory: memoryText(report),
    state: JSON.stringify(state, undefined, 2),
  });
  const tables: string[] = [];
  if (work.inbox.length > 0) tables.push(`durable commands\n${workTable(work.inbox)}`);
  if (work.outbox.length > 0) tables.push(`messages\n${workTable(work.outbox)}`);
  if (work.timers.length > 0) tables.push(`timers\n${table(timerColumns, work.timers.map(timerRow))}`);
  if (!work.complete) tables.push("There may be more pending work than is shown here.\n");
  return [facts, ...tables].join("\n");
}

/** Only the owner has it in memory, and only the owner knows. */
function memoryText({ active, queued, owner, node }: EntityReport): string {
  if (active) return `active, ${queued} queued`;
  return owner === null || owner === node ? "not active" : `${owner} knows, and ${node} was asked`;
}

const timerColumns = ["timer", "operation", "to", "due"];

function timerRow({ name, operation, to, dueAt }: TimerReport): string[] {
  const leftMs = dueAt - Date.now();
  return [name ?? "(message)", operation, receiver(to), leftMs > 0 ? `in ${age(leftMs)}` : "now"];
}
