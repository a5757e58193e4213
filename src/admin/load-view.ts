/** What a running system did between two looks at its meters: rates and quantiles, of all nodes together. */
import type { OperationFigures } from "../ports/meters.ts";
import { type Histogram, histogramSince, mergedHistogram, quantileMs } from "../values/histogram.ts";
import type { LinkStatistics, NodeMeters } from "./target.ts";

export interface LoadView {
  readonly seconds: number;
  readonly nodes: readonly NodeLoadView[];
  readonly operations: readonly OperationLoad[];
  readonly links: readonly LinkLoad[];
}

/** A link as it is at the second look; each stands here from both of its ends. Counts are of its whole life. */
export interface LinkLoad extends LinkStatistics {
  /** The node whose end this is; `node` is the one at the other end. */
  readonly from: string;
}

export interface NodeLoadView {
  readonly node: string;
  /** Processors in use: 1 is all of one. */
  readonly cpu: number;
  readonly eventLoopUtilization: number;
  readonly eventLoopDelayP99Ms: number;
  readonly heapUsedBytes: number;
  readonly rssBytes: number;
  readonly receivedBytesPerSecond: number;
  readonly sentBytesPerSecond: number;
  readonly entities: number;
  readonly slotsTaken: number;
  readonly slotsLimit: number;
  readonly queued: number;
  readonly standing: boolean;
}

/** One operation, over all nodes. Quantiles are of what happened between the looks; undefined if nothing did. */
export interface OperationLoad {
  readonly service: string;
  readonly operation: string;
  /** Answers, errors included. */
  readonly perSecond: number;
  /** Answers other than a value, by code. */
  readonly errorsPerSecond: Readonly<Record<string, number>>;
  readonly shedPerSecond: number;
  readonly responseP50Ms: number | undefined;
  readonly responseP99Ms: number | undefined;
  readonly queueWaitP99Ms: number | undefined;
  readonly handlerP99Ms: number | undefined;
  readonly commitWaitP99Ms: number | undefined;
}

/** A process that started again between the looks is taken to have done all that it has done in between. */
export function loadView(before: readonly NodeMeters[], after: readonly NodeMeters[], seconds: number): LoadView {
  const earlier = new Map(before.map((meters) => [meters.node, meters]));
  const nodes = after.map((meters) => nodeView(earlier.get(meters.node), meters, seconds));
  const names = new Map(
    after.flatMap(({ operations }) => operations).map(({ service, operation }) => [`${service}.${operation}`, true]),
  );
  const operations = [...names.keys()].sort().map((name) => {
    const own = (all: readonly OperationFigures[] | undefined): OperationFigures | undefined =>
      all?.find(({ service, operation }) => `${service}.${operation}` === name);
    const pairs = after.flatMap((meters) => {
      const later = own(meters.operations);
      return later === undefined ? [] : [{ later, earlier: own(earlier.get(meters.node)?.operations) }];
    });
    return operationLoad(pairs, seconds);
  });
  const active = operations.filter(
    ({ perSecond, shedPerSecond, handlerP99Ms }) => perSecond + shedPerSecond > 0 || handlerP99Ms !== undefined,
  );
  const links = after.flatMap(({ node, status }) => status.links.map((link) => ({ from: node, ...link })));
  return { seconds, nodes, operations: active, links };
}

function nodeView(
  before: NodeMeters | undefined,
  { node, process, network, status }: NodeMeters,
  seconds: number,
): NodeLoadView {
  return {
    node,
    cpu: since(process.cpuSeconds, before?.process.cpuSeconds) / seconds,
    eventLoopUtilization: process.eventLoopUtilization,
    eventLoopDelayP99Ms: process.eventLoopDelay.p99Ms,
    heapUsedBytes: process.heapUsedBytes,
    rssBytes: process.rssBytes,
    receivedBytesPerSecond: since(network.receivedBytes, before?.network.receivedBytes) / seconds,
    sentBytesPerSecond: since(network.sentBytes, before?.network.sentBytes) / seconds,
    entities: status.entitiesInMemory,
    ...status.load,
  };
}

interface Pair {
  readonly later: OperationFigures;
  readonly earlier: OperationFigures | undefined;
}

type Counted = "response" | "queueWait" | "handler" | "commitWait";

function operationLoad(pairs: readonly Pair[], seconds: number): OperationLoad {
  const { service, operation } = pairs[0]!.later;
  const { ok = 0, ...errorsPerSecond } = ratesOf(pairs, ({ answered }) => answered, seconds);
  const shed = ratesOf(pairs, (figures) => figures.shed, seconds);
  const histogram = (name: Counted): Histogram =>
    mergedHistogram(
      pairs.map(({ later, earlier }) =>
        earlier === undefined ? later[name] : histogramSince(later[name], earlier[name]),
      ),
    );
  const response = histogram("response");
  return {
    service,
    operation,
    perSecond: sumOf(errorsPerSecond) + ok,
    errorsPerSecond,
    shedPerSecond: sumOf(shed),
    responseP50Ms: quantileMs(response, 0.5),
    responseP99Ms: quantileMs(response, 0.99),
    queueWaitP99Ms: quantileMs(histogram("queueWait"), 0.99),
    handlerP99Ms: quantileMs(histogram("handler"), 0.99),
    commitWaitP99Ms: quantileMs(histogram("commitWait"), 0.99),
  };
}

function ratesOf(
  pairs: readonly Pair[],
  countsOf: (figures: OperationFigures) => Readonly<Record<string, number>>,
  seconds: number,
): Record<string, number> {
  const rates: Record<string, number> = {};
  for (const { later, earlier } of pairs) {
    const before = earlier === undefined ? {} : countsOf(earlier);
    for (const [name, count] of Object.entries(countsOf(later))) {
      const more = since(count, before[name]) / seconds;
      if (more > 0) rates[name] = (rates[name] ?? 0) + more;
    }
  }
  return rates;
}

/** A count that fell began again. */
function since(later: number, earlier = 0): number {
  return later >= earlier ? later - earlier : later;
}

function sumOf(rates: Readonly<Record<string, number>>): number {
  return Object.values(rates).reduce((sum, rate) => sum + rate, 0);
}
