/**
 * `/metrics`: the meters of all nodes in Prometheus' text format. Every figure stands with its node, and the
 * histograms are given in fixed buckets, so that whoever collects them can add nodes up.
 */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { AvailabilityReport } from "../availability/report.ts";
import { type Histogram as Counts, countOf } from "../values/histogram.ts";
import type { NodeMeters } from "./target.ts";

/** Upper bounds of the buckets, s. */
const bucketsSeconds: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];

type Labels = Record<string, string>;

export const prometheusContentType: string = Registry.PROMETHEUS_CONTENT_TYPE;

/** The text for one scrape. */
export async function prometheusText(nodes: readonly NodeMeters[], availability?: AvailabilityReport): Promise<string> {
  const registry = new Registry();
  addOperations(registry, nodes);
  addNodes(registry, nodes);
  addLinks(registry, nodes);
  if (availability) addAvailability(registry, availability);
  return await registry.metrics();
}

function addOperations(registry: Registry, nodes: readonly NodeMeters[]): void {
  const names = ["node", "service", "operation"];
  const counter = (name: string, help: string, label: string): Counter =>
    new Counter({ name, help, labelNames: [...names, label], registers: [registry] });
  const answered = counter("synod_calls_total", "Calls that came in at a node and were answered, by code", "code");
  const shed = counter("synod_calls_shed_total", "Calls that were turned away before their handler ran", "reason");
  const response = new Durations(registry, "synod_response_seconds", "From a call's arrival until its answer");
  const queueWait = new Durations(registry, "synod_queue_wait_seconds", "Wait for the node that carries a call out");
  const handler = new Durations(registry, "synod_handler_seconds", "From a handler's call until it settled");
  const commitWait = new Durations(registry, "synod_commit_wait_seconds", "Wait of a command's change for the store");
  for (const { node, operations } of nodes) {
    for (const figures of operations) {
      const { service, operation } = figures;
      const labels = { node, service, operation };
      for (const [code, count] of Object.entries(figures.answered)) answered.inc({ ...labels, code }, count);
      for (const [reason, count] of Object.entries(figures.shed)) shed.inc({ ...labels, reason }, count);
      response.add(labels, figures.response);
      queueWait.add(labels, figures.queueWait);
      handler.add(labels, figures.handler);
      commitWait.add(labels, figures.commitWait);
    }
  }
}

/** A figure of a node or of a link: its name, its help, and how it is read. */
type Figure<T, V = number> = readonly [name: string, help: string, value: (of: T) => V];

const nodeCounters: readonly Figure<NodeMeters>[] = [
  ["synod_cpu_seconds_total", "Processor time", ({ process }) => process.cpuSeconds],
  ["synod_network_received_bytes_total", "Bytes from links and adapters", ({ network }) => network.receivedBytes],
  ["synod_network_sent_bytes_total", "Bytes to links and adapters", ({ network }) => network.sentBytes],
  ["synod_commits_total", "Store commits", ({ status }) => status.commits],
];

const nodeGauges: readonly Figure<NodeMeters>[] = [
  ["synod_event_loop_utilization", "Busy part of the event loop", ({ process }) => process.eventLoopUtilization],
  ["synod_event_loop_delay_seconds", "Mean delay of timers", ({ process }) => process.eventLoopDelay.meanMs / 1_000],
  ["synod_event_loop_delay_p99_seconds", "99 % were less late", ({ process }) => process.eventLoopDelay.p99Ms / 1_000],
  ["synod_heap_used_bytes", "JavaScript heap in use", ({ process }) => process.heapUsedBytes],
  ["synod_heap_total_bytes", "JavaScript heap", ({ process }) => process.heapTotalBytes],
  ["synod_resident_memory_bytes", "Memory of the process", ({ process }) => process.rssBytes],
  ["synod_entities", "Entities in memory", ({ status }) => status.entitiesInMemory],
  ["synod_entity_memory_bytes", "Memory that they take", ({ status }) => status.memoryBytes],
  ["synod_shards_owned", "Shards that the node owns", ({ status }) => status.shardsOwned],
  ["synod_calls_in_flight", "Calls that came in and are not answered", ({ status }) => status.callsInFlight],
  ["synod_slots_taken", "Calls under way", ({ status }) => status.load.slotsTaken],
  ["synod_slots_limit", "How many may be", ({ status }) => status.load.slotsLimit],
  ["synod_queue_length", "Calls that wait for the node", ({ status }) => status.load.queued],
  ["synod_queue_standing", "1 while more comes in than goes out", ({ status }) => Number(status.load.standing)],
];

function addNodes(registry: Registry, nodes: readonly NodeMeters[]): void {
  const shared = { labelNames: ["node"], registers: [registry] };
  for (const [name, help, value] of nodeCounters) {
    const counter = new Counter({ name, help, ...shared });
    for (const meters of nodes) counter.inc({ node: meters.node }, value(meters));
  }
  for (const [name, help, value] of nodeGauges) {
    const gauge = new Gauge({ name, help, ...shared });
    for (const meters of nodes) gauge.set({ node: meters.node }, value(meters));
  }
}

type LinkFigures = NodeMeters["status"]["links"][number];

/**
 * A closed link's counts end with it, so these are gauges: of the link that stands now. The end that did not dial
 * measures no round trip, and none is not 0.
 */
const linkGauges: readonly Figure<LinkFigures, number | undefined>[] = [
  [
    "synod_link_round_trip_seconds",
    "Smoothed round-trip time, at the end that dialled",
    ({ roundTripMs }) => (roundTripMs === undefined ? undefined : roundTripMs / 1_000),
  ],
  ["synod_link_calls_in_flight", "Calls without an answer", ({ callsInFlight }) => callsInFlight],
  ["synod_link_bytes_in_flight", "Bytes of their inputs", ({ callBytesInFlight }) => callBytesInFlight],
  ["synod_link_queue_length", "Calls that wait for the peer", ({ queueLength }) => queueLength],
  ["synod_link_queue_wait_mean_seconds", "How long they had waited", ({ queueWaitMeanMs }) => queueWaitMeanMs / 1_000],
  ["synod_link_queue_wait_max_seconds", "At the most", ({ queueWaitMaxMs }) => queueWaitMaxMs / 1_000],
  ["synod_link_buffered_bytes", "Bytes that the network has not taken", ({ bufferedBytes }) => bufferedBytes],
  ["synod_link_peer_load", "Calls that the peer has under way or waiting", ({ peerLoad }) => peerLoad],
];

function addLinks(registry: Registry, nodes: readonly NodeMeters[]): void {
  const labelNames = ["node", "peer", "direction"];
  const links = nodes.flatMap(({ node, status }) =>
    status.links.map((link) => ({ link, labels: { node, peer: link.node, direction: link.direction } })),
  );
  for (const [name, help, value] of linkGauges) {
    const gauge = new Gauge({ name, help, labelNames, registers: [registry] });
    for (const { link, labels } of links) {
      const known = value(link);
      if (known !== undefined) gauge.set(labels, known);
    }
  }
  const reconnects = new Gauge({
    ...{ name: "synod_link_reconnects", help: "Links after the first" },
    ...{ labelNames, registers: [registry] },
  });
  const ended = new Gauge({
    ...{ name: "synod_link_ended", help: "Links and attempts that ended, by cause" },
    ...{ labelNames: [...labelNames, "cause"], registers: [registry] },
  });
  for (const { link, labels } of links) {
    reconnects.set(labels, link.reconnects);
    for (const [cause, times] of Object.entries(link.causes)) ended.set({ ...labels, cause }, times);
  }
}

/** Of each series what was good and bad in each window, and what fires; shares are for whoever collects them to divide. */
function addAvailability(registry: Registry, { series, alerts }: AvailabilityReport): void {
  const labelNames = ["series", "window"];
  const gauge = (name: string, help: string, labels: string[]): Gauge =>
    new Gauge({ name, help, labelNames: labels, registers: [registry] });
  const good = gauge("synod_availability_good", "Good slices, requests or key time in the window", labelNames);
  const bad = gauge("synod_availability_bad", "Bad ones", labelNames);
  const left = gauge("synod_error_budget_left", "Part of the error budget that is left", labelNames);
  for (const { name, windows } of series) {
    for (const { window, budgetLeft, ...counts } of windows) {
      good.set({ series: name, window }, counts.good);
      bad.set({ series: name, window }, counts.bad);
      if (budgetLeft !== undefined) left.set({ series: name, window }, budgetLeft);
    }
  }
  const firing = gauge("synod_error_budget_alert", "How many times too fast the budget burns, while that is an alert", [
    "series",
    "rule",
  ]);
  for (const alert of alerts) firing.set({ series: alert.series, rule: alert.words }, alert.burnRate);
}

interface Sample {
  readonly labels: Labels;
  readonly counts: Counts;
}

/** A histogram whose values were counted elsewhere. prom-client's own can only observe one at a time. */
class Durations extends Histogram {
  readonly #name: string;
  readonly #help: string;
  readonly #samples: Sample[] = [];

  constructor(registry: Registry, name: string, help: string) {
    super({ name, help, labelNames: ["node", "service", "operation"], registers: [registry] });
    this.#name = name;
    this.#help = help;
  }

  add(labels: Labels, counts: Counts): void {
    if (counts.counts.length > 0) this.#samples.push({ labels, counts });
  }

  /** What the registry asks for when it writes its text. */
  getForPromString(): ReturnType<Histogram["get"]> {
    return this.get();
  }

  override async get(): ReturnType<Histogram["get"]> {
    const values = this.#samples.flatMap((sample) => this.#valuesOf(sample));
    const described = { name: this.#name, help: this.#help, aggregator: "sum" } as const;
    return { ...described, type: "histogram", values } as unknown as Awaited<ReturnType<Histogram["get"]>>;
  }

  #valuesOf({
    labels,
    counts,
  }: Sample): { labels: Record<string, string | number>; value: number; metricName: string }[] {
    const total = countOf(counts);
    const buckets = bucketsSeconds.map((le) => ({
      labels: { le, ...labels },
      value: counts.counts.reduce((sum, [us, count]) => (us <= le * 1e6 ? sum + count : sum), 0),
      metricName: `${this.#name}_bucket`,
    }));
    return [
      ...buckets,
      { labels: { le: "+Inf", ...labels }, value: total, metricName: `${this.#name}_bucket` },
      { labels, value: counts.sumUs / 1e6, metricName: `${this.#name}_sum` },
      { labels, value: total, metricName: `${this.#name}_count` },
    ];
  }
}
