/** Where the system comes from that is measured: one that this command starts for it, or one that runs already. */
import { networkInterfaces } from "node:os";
import type { NodeMeters } from "../../admin/target.ts";
import type { Arrangement, RunningSystem } from "../../capacity/capacity.ts";
import type { NodeReading } from "../../capacity/readings.ts";
import { type Histogram, mergedHistogram } from "../../values/histogram.ts";
import { UsageError } from "../exit.ts";
import { startPassing } from "../passing-system.ts";
import { httpUrl } from "../supervised-target.ts";
import { systemAt } from "../systems-at-hand.ts";

/** Nodes that share their processors with the load leave them to it first: it stands for callers from elsewhere. */
const nicenessWhereShared = 15;

/** Starts the system for it. */
export async function startedFrom(
  systemFile: string,
  store: string | undefined,
  { nodes = 1, shedding }: Arrangement,
  { sharesProcessors }: { readonly sharesProcessors: boolean },
): Promise<RunningSystem> {
  // With processors of their own they go before nobody and behind nobody: what else runs there would only come first.
  const measured = { loadControl: shedding, niceness: sharesProcessors ? nicenessWhereShared : 0 };
  const { supervisor, place, urls, end } = await startPassing({
    ...{ purpose: "capacity", endsAtInterrupt: true },
    ...{ systemFile, store, nodes, measured },
  });
  const http = httpUrl(place.system, urls);
  if (http === null) {
    await end();
    throw new UsageError(`System ${place.system.name} has no HTTP adapter to send a load to: add http().`);
  }
  return {
    name: place.system.name,
    url: new URL(http),
    nodes: supervisor.nodes.length,
    sameMachine: true,
    readMeters: async () => (await supervisor.meters()).map(readingOf),
    [Symbol.asyncDispose]: end,
  };
}

/** The system that answers there; its meters can be read if its admin file is in this folder. */
export async function runningAt(url: URL): Promise<RunningSystem> {
  const found = await systemAt(url);
  if (found !== undefined) {
    const { client, report } = found;
    return {
      name: report.system,
      url,
      nodes: report.nodes.length,
      sameMachine: true,
      readMeters: async () => (await client.meters()).map(readingOf),
      [Symbol.asyncDispose]: async () => {},
    };
  }
  const sameMachine = isOwnAddress(url.hostname);
  return {
    name: url.host,
    url,
    nodes: undefined,
    sameMachine,
    readMeters: async () => [],
    [Symbol.asyncDispose]: async () => {},
  };
}

function isOwnAddress(host: string): boolean {
  const own = Object.values(networkInterfaces()).flatMap((all) => all?.map(({ address }) => address) ?? []);
  return ["localhost", ...own].includes(host.replace(/^\[(.*)\]$/, "$1"));
}

function readingOf({ node, process, operations, network, status }: NodeMeters): NodeReading {
  const merged = (of: (figures: NodeMeters["operations"][number]) => Histogram): Histogram =>
    mergedHistogram(operations.map(of));
  return {
    node,
    cpuSeconds: process.cpuSeconds,
    eventLoopUtilization: process.eventLoopUtilization,
    queueWait: merged(({ queueWait }) => queueWait),
    handler: merged(({ handler }) => handler),
    commitWait: merged(({ commitWait }) => commitWait),
    linkQueueWaitMs: Math.max(0, ...status.links.map(({ queueWaitMeanMs }) => queueWaitMeanMs)),
    networkBytes: network.receivedBytes + network.sentBytes,
  };
}
