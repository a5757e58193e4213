/**
 * What the system's own meters and the machine say while a load is offered, and which of it is the bottleneck: the first
 * thing that is used up. The finder does not know where meters come from; whoever runs it brings a way to read them.
 */
import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { countOf, type Histogram, histogramSince, mergedHistogram } from "../values/histogram.ts";

/** One node, counted from the start of its process. */
export interface NodeReading {
  readonly node: string;
  readonly cpuSeconds: number;
  /** 0 to 1, lately. */
  readonly eventLoopUtilization: number;
  readonly queueWait: Histogram;
  readonly handler: Histogram;
  readonly commitWait: Histogram;
  /** Calls over links: the mean wait before they were sent, ms, of its slowest link. */
  readonly linkQueueWaitMs: number;
  readonly networkBytes: number;
}

/** Of all nodes that answer. */
export type ReadMeters = () => Promise<readonly NodeReading[]>;

export interface Reading {
  readonly at: number;
  readonly nodes: readonly NodeReading[];
  /** Of the whole machine that the load runs on, since its start, s. */
  readonly machineBusySeconds: number;
  /** Of it what this process took, which drives the search and, as a rule, supervises the nodes. */
  readonly ownSeconds: number;
}

/** What happened between two readings. */
export interface Consumption {
  /** Processors of this machine in use, by whomever, and how many it has. */
  readonly machineCores: number;
  readonly machineCoresMax: number;
  /** Of them in use by this process. */
  readonly ownCores: number;
  /** Whether a node came, went or started again meanwhile: nobody can tell then what it had used before. */
  readonly nodesChanged: boolean;
  readonly nodes: readonly {
    readonly node: string;
    /** Processors in use. */
    readonly cores: number;
    readonly eventLoopUtilization: number;
    readonly networkBytesPerSecond: number;
  }[];
  /** Means over all operations and nodes, ms. */
  readonly queueWaitMs: number;
  readonly handlerMs: number;
  readonly commitWaitMs: number;
  readonly linkQueueWaitMs: number;
}

export type Bottleneck = "event loop" | "CPU" | "store commit" | "network" | "none";

export interface NamedBottleneck {
  readonly name: Bottleneck;
  /** In one sentence, with the figures that it stands on. */
  readonly words: string;
}

/** Used up, practically. */
const saturated = 0.9;
/** The part of all waiting that names what is waited for, when there is as much to speak of, ms. */
const waitPart = 0.5;
const waitMinMs = 1;
/** Of the kernel's accounts: `USER_HZ`, which is 100 wherever Node runs on Linux. */
const ticksPerSecond = 100;
/** Processors that other programs must take to be spoken of. */
const othersMin = 0.2;

export async function takeReading(readMeters: ReadMeters): Promise<Reading> {
  const nodes = await readMeters();
  const busy = cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
  const { user, system } = process.cpuUsage();
  const machineBusySeconds = busy / 1_000 + stolenSeconds();
  return { at: performance.now(), nodes, machineBusySeconds, ownSeconds: (user + system) / 1_000_000 };
}

/** What the host of a virtual machine gave to others while it had work to do (proc(5): the eighth figure); 0 where nobody says. */
function stolenSeconds(): number {
  try {
    const figures = readFileSync("/proc/stat", "latin1").split(/\s+/, 9);
    return Number(figures[8]) / ticksPerSecond;
  } catch {
    return 0;
  }
}

/**
 * Processors that programs had, and other virtual machines, which are neither the system nor the load nor this command; undefined when the nodes
 * run elsewhere, or do not say what they take. A node that the load ended took its account with it: that is the system's failure and no program's.
 */
export function othersCores(
  { machineCores, ownCores, nodesChanged, nodes }: Consumption,
  loadCores: number,
  sameMachine: boolean,
): number | undefined {
  if (!sameMachine || nodesChanged || nodes.length === 0) return undefined;
  const taken = nodes.reduce((sum, { cores }) => sum + cores, 0);
  return Math.max(0, machineCores - taken - loadCores - ownCores);
}

export function consumptionBetween(before: Reading, after: Reading): Consumption {
  const seconds = (after.at - before.at) / 1_000;
  const pairs = after.nodes.map((later) => ({ later, earlier: sameProcess(before, later) }));
  const meanMs = (of: (reading: NodeReading) => Histogram): number => {
    const since = pairs.map((pair) =>
      pair.earlier ? histogramSince(of(pair.later), of(pair.earlier)) : of(pair.later),
    );
    const all = mergedHistogram(since);
    return all.sumUs / 1_000 / Math.max(1, countOf(all));
  };
  return {
    machineCores: (after.machineBusySeconds - before.machineBusySeconds) / seconds,
    machineCoresMax: cpus().length,
    ownCores: (after.ownSeconds - before.ownSeconds) / seconds,
    nodesChanged: before.nodes.length !== pairs.length || pairs.some(({ earlier }) => earlier === undefined),
    nodes: pairs.map((pair) => ({
      node: pair.later.node,
      cores: (pair.later.cpuSeconds - (pair.earlier?.cpuSeconds ?? 0)) / seconds,
      eventLoopUtilization: pair.later.eventLoopUtilization,
      networkBytesPerSecond: (pair.later.networkBytes - (pair.earlier?.networkBytes ?? 0)) / seconds,
    })),
    queueWaitMs: meanMs(({ queueWait }) => queueWait),
    handlerMs: meanMs(({ handler }) => handler),
    commitWaitMs: meanMs(({ commitWait }) => commitWait),
    linkQueueWaitMs: Math.max(0, ...after.nodes.map(({ linkQueueWaitMs }) => linkQueueWaitMs)),
  };
}

/** What the process had said before. One that starts again under the same id counts from 0: all that it says is new. */
function sameProcess(before: Reading, later: NodeReading): NodeReading | undefined {
  const earlier = before.nodes.find(({ node }) => node === later.node);
  return earlier === undefined || later.cpuSeconds < earlier.cpuSeconds ? undefined : earlier;
}

/** `processors`: how many of this machine's the system may use; undefined when it runs on another machine. */
export function bottleneckOf(
  consumption: Consumption,
  loadCores: number,
  processors: number | undefined,
): NamedBottleneck {
  const { machineCores, machineCoresMax, nodes, queueWaitMs, handlerMs, commitWaitMs, linkQueueWaitMs } = consumption;
  if (nodes.length === 0)
    return {
      name: "none",
      words: "The system's meters could not be read, so nothing can be said of what holds it back.",
    };
  const full = nodes.filter(({ eventLoopUtilization }) => eventLoopUtilization >= saturated);
  const waits = queueWaitMs + handlerMs + commitWaitMs + linkQueueWaitMs;
  const taken = nodes.reduce((sum, { cores }) => sum + cores, 0);
  const others = othersCores(consumption, loadCores, processors !== undefined) ?? 0;
  if (processors !== undefined && processors < machineCoresMax && machineCores - loadCores >= processors * saturated) {
    const besides =
      others >= othersMin ? `, and other programs ${others.toFixed(1)} of the machine's ${machineCoresMax}` : "";
    const words = `CPU: of the ${counted(processors, "processor")} that the nodes had, they used ${taken.toFixed(1)}${besides}.`;
    return { name: "CPU", words };
  }
  if (processors !== undefined && machineCores >= machineCoresMax * saturated) {
    const theirs = others >= othersMin ? `, ${others.toFixed(1)} by other programs` : "";
    const words = `CPU: ${machineCores.toFixed(1)} of the machine's ${machineCoresMax} processors were in use, ${taken.toFixed(1)} by the nodes and ${loadCores.toFixed(1)} by the load itself${theirs}.`;
    return { name: "CPU", words };
  }
  if (full.length > 0) {
    const names = full.map(({ node, eventLoopUtilization }) => `${node} ${percent(eventLoopUtilization)}`).join(", ");
    return { name: "event loop", words: `Event loop: busy at ${names}; a node runs its handlers on one thread.` };
  }
  if (commitWaitMs >= Math.max(waitMinMs, waits * waitPart)) {
    const words = `Store commit: of ${waits.toFixed(1)} ms inside the nodes, ${commitWaitMs.toFixed(1)} ms were spent waiting for the store.`;
    return { name: "store commit", words };
  }
  if (linkQueueWaitMs >= Math.max(waitMinMs, waits * waitPart)) {
    return {
      name: "network",
      words: `Network: calls between nodes waited ${linkQueueWaitMs.toFixed(1)} ms before they were sent.`,
    };
  }
  const words = `Nothing is used up: the nodes' time goes to ${queueWaitMs.toFixed(1)} ms of queue, ${handlerMs.toFixed(1)} ms of handlers and ${commitWaitMs.toFixed(1)} ms of the store (means).`;
  return { name: "none", words };
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function percent(part: number): string {
  return `${(100 * part).toFixed(0)} %`;
}
