/** Where the system comes from that is measured: one that this command starts for it, or one that runs already. */
import { networkInterfaces } from "node:os";
import { createLog } from "../../adapters/log/pino.ts";
import type { NodeMeters } from "../../admin/target.ts";
import type { Arrangement, RunningSystem } from "../../capacity/capacity.ts";
import type { NodeReading } from "../../capacity/readings.ts";
import { Supervisor } from "../../host/supervisor.ts";
import { type Histogram, mergedHistogram } from "../../values/histogram.ts";
import { UsageError } from "../exit.ts";
import { passingStore, systemAt } from "../systems-at-hand.ts";

const drainMs = 5_000;
/** Nodes that are measured leave the processor to the load first, which stands for callers from elsewhere. */
const niceness = 15;

/** Starts the system on a store of its own, which is removed at the end, unless another one is given. */
export async function startedFrom(
  systemFile: string,
  store: string | undefined,
  { nodes = 1, shedding }: Arrangement,
): Promise<RunningSystem> {
  const own = await passingStore("capacity");
  const nodeLog = { format: "text", level: "error" } as const;
  const supervisor = new Supervisor({
    systemFile,
    drainMs,
    nodes,
    port: 0,
    store: store ?? own.store,
    log: createLog({ ...nodeLog, name: "supervisor" }),
    nodeLog,
    quietStdout: true,
    measured: { loadControl: shedding, niceness },
  });
  const end = async (): Promise<void> => {
    await supervisor.stop(drainMs);
    await own[Symbol.asyncDispose]();
  };
  const interrupted = (): void => void end().then(() => process.exit(130));
  try {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, interrupted);
    const { system } = await supervisor.prepare();
    const urls = await supervisor.start();
    const http = urls[system.adapters.findIndex(({ name }) => name === "http")];
    if (http === undefined)
      throw new UsageError(`System ${system.name} has no HTTP adapter to send a load to: add http().`);
    return {
      name: system.name,
      url: new URL(http),
      nodes: supervisor.nodes.length,
      sameMachine: true,
      readMeters: async () => (await supervisor.meters()).map(readingOf),
      [Symbol.asyncDispose]: async () => {
        for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, interrupted);
        await end();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
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
