/** `synod top`: the load of a running system as it changes. Each look shows what happened since the last one. */
import { setTimeout as pause } from "node:timers/promises";
import { type LinkLoad, type LoadView, loadView, type OperationLoad } from "../admin/load-view.ts";
import { exitCodes } from "./exit.ts";
import { onInterrupt } from "./interrupt.ts";
import { findRunning, type WhichSystem } from "./running.ts";
import { bytes, milliseconds, table } from "./table.ts";

export interface TopOptions extends WhichSystem {
  readonly json: boolean;
  /** Seconds. */
  readonly interval: number;
  readonly count?: number;
}

/** Moves to the corner of a terminal and clears it. */
const clearScreen = "\u001b[H\u001b[2J";

export async function top(options: TopOptions): Promise<void> {
  const { client } = await findRunning(options);
  onInterrupt({ first: () => process.exit(exitCodes.done), again: () => process.exit(exitCodes.done) });
  const intervalMs = options.interval * 1_000;
  let before = await client.meters();
  let at = performance.now();
  for (let looks = 1; ; looks++) {
    await pause(intervalMs);
    const meters = await client.meters();
    const now = performance.now();
    print(loadView(before, meters, (now - at) / 1_000), options.json);
    // Whoever reads no further does not want to see more.
    if (looks === options.count || !process.stdout.writable) return;
    [before, at] = [meters, now];
  }
}

function print(view: LoadView, json: boolean): void {
  if (json) return void process.stdout.write(`${JSON.stringify(view)}\n`);
  const dialled = view.links.filter(({ direction }) => direction === "dialled");
  const tables = [table(nodeColumns, view.nodes.map(nodeRow))];
  if (view.operations.length > 0) tables.push(table(operationColumns, view.operations.map(operationRow)));
  if (dialled.length > 0) tables.push(table(linkColumns, dialled.map(linkRow)));
  process.stdout.write(`${process.stdout.isTTY ? clearScreen : ""}${tables.join("\n")}\n`);
}

const nodeColumns = [
  ...["node", "cpu", "loop", "loop late p99", "heap", "rss", "in/s", "out/s"],
  ...["entities", "under way", "limit", "queued"],
];

function nodeRow(node: LoadView["nodes"][number]): string[] {
  return [
    node.node,
    percent(node.cpu),
    percent(node.eventLoopUtilization),
    milliseconds(node.eventLoopDelayP99Ms),
    bytes(node.heapUsedBytes),
    bytes(node.rssBytes),
    bytes(Math.round(node.receivedBytesPerSecond)),
    bytes(Math.round(node.sentBytesPerSecond)),
    String(node.entities),
    String(node.slotsTaken),
    String(node.slotsLimit),
    node.standing ? `${node.queued} (standing)` : String(node.queued),
  ];
}

const operationColumns = [
  ...["operation", "calls/s", "p50", "p99", "errors/s", "shed/s"],
  ...["queue p99", "handler p99", "commit p99", "errors"],
];

function operationRow(load: OperationLoad): string[] {
  const errors = Object.entries(load.errorsPerSecond).map(([code, rate]) => `${code} ${perSecond(rate)}`);
  return [
    `${load.service}.${load.operation}`,
    perSecond(load.perSecond),
    optional(load.responseP50Ms),
    optional(load.responseP99Ms),
    perSecond(Object.values(load.errorsPerSecond).reduce((sum, rate) => sum + rate, 0)),
    perSecond(load.shedPerSecond),
    optional(load.queueWaitP99Ms),
    optional(load.handlerP99Ms),
    optional(load.commitWaitP99Ms),
    errors.join(", "),
  ];
}

const linkColumns = ["link", "state", "round trip", "in flight", "bytes", "queue wait (mean, max)", "reconnects"];

function linkRow(link: LinkLoad): string[] {
  return [
    `${link.from} to ${link.node}`,
    link.phase,
    optional(link.roundTripMs),
    String(link.callsInFlight),
    bytes(link.callBytesInFlight),
    `${milliseconds(link.queueWaitMeanMs)}, ${milliseconds(link.queueWaitMaxMs)}`,
    String(link.reconnects),
  ];
}

function percent(part: number): string {
  return `${(100 * part).toFixed(0)} %`;
}

function perSecond(rate: number): string {
  return rate.toFixed(rate > 0 && rate < 10 ? 1 : 0);
}

function optional(ms: number | undefined): string {
  return ms === undefined ? "-" : milliseconds(ms);
}
