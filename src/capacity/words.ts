/** What the figures mean, in sentences: the same ones on the terminal and on the page. */
import type { Estimate } from "./boundary.ts";
import { type CapacityReport, disturbedOf, type LoadPoint, lateOf, spreadOf } from "./report.ts";
import { type ScalabilityFit, type ScalePoint, scaledTo } from "./scalability.ts";
import { lagMaxMs } from "./trial.ts";

/** Beyond the capacity goodput that stays above this part of its peak is a plateau. */
const plateauPart = 0.85;
/** A coefficient of the scalability law below this is none, for all that a fit can tell. */
const coefficientMin = 0.005;
/** Samples of which a p99 is right to about 20 %. */
const samplesEnough = 10_000;

/** What a page or a terminal says first. */
export function headlineOf({ capacity, objective }: CapacityReport): string {
  const promise = `${objective.name} within ${ms(objective.limitMs)}`;
  if (capacity.perSecond === 0) return `No load was carried with ${promise}.`;
  return `Capacity: ${rate(capacity.perSecond)} calls/s with ${promise}.`;
}

export function sentencesOf(report: CapacityReport): string[] {
  const { capacity, bottleneck, machine, curve, withoutShedding, scale } = report;
  return [
    ...runsWords(report),
    ...boundWords(report),
    ...(capacity.perSecond > 0 && curve.length > 0 ? [beyondWords(curve, "")] : []),
    ...(withoutShedding === undefined ? [] : [beyondWords(withoutShedding, "Without load control: ")]),
    `What holds it back: ${bottleneck.words}`,
    ...(scale === undefined ? [] : scaleWords(scale.points, scale.fit)),
    ...(machine.shared ? [sharedWords(report)] : []),
    ...crowded(report),
    ...discardWords(report),
    ...report.unasked.map((reason) => `Not asked for: ${reason}`),
  ];
}

function runsWords(report: CapacityReport): string[] {
  const { runs } = report;
  if (runs.length < 2) return [];
  const spread = spreadOf(report);
  const apart = spread === undefined ? "one found nothing" : `they lie ${percent(spread)} of it apart`;
  return [`That is the median of ${runs.length} searches: ${runs.map(rate).join(", ")} calls/s; ${apart}.`];
}

function boundWords({ capacity, objective }: CapacityReport): string[] {
  const { confirmed, boundary, above, limit } = capacity;
  if (confirmed === undefined) return [];
  const percentiles = `p50 ${ms(confirmed.p50Ms)}, p90 ${ms(confirmed.p90Ms)}, p99 ${ms(confirmed.p99Ms)}, p99.9 ${ms(confirmed.p999Ms)}`;
  const samples = `${confirmed.samples} answers`;
  const coarse =
    confirmed.samples < samplesEnough ? ` (fewer than ${samplesEnough}: the p99 may be off by more than a fifth)` : "";
  const first = `That is the highest load that was confirmed, by two trials of at most three; the last: ${percentiles}, of ${samples}${coarse}.`;
  if (above === undefined || limit === "bound") return [first, "No load failed: it may carry more than was tried."];
  const why =
    limit === "load"
      ? "the load could not keep its own time, so the system may carry more"
      : `the objective ${objective.name} was missed, or calls failed`;
  return [first, ...boundaryWords(boundary), `At ${rate(above)} calls/s ${why}.`];
}

function boundaryWords(boundary: Estimate | undefined): string[] {
  if (boundary === undefined) return [];
  const { perSecond, from, to } = boundary;
  return [
    `Half of the trials are carried at ${rate(perSecond)} calls/s (with 95 % confidence between ${rate(from)} and ${rate(to)}).`,
  ];
}

/** Plateau or degradation: what goodput does beyond the capacity. */
export function beyondWords(points: readonly LoadPoint[], prefix: string): string {
  const counted = points.filter(({ counts }) => counts);
  const used = counted.length >= 2 ? counted : points;
  const peak = used.reduce((best, point) => (point.goodputPerSecond > best.goodputPerSecond ? point : best));
  const last = used.at(-1)!;
  const part = last.goodputPerSecond / Math.max(1e-9, peak.goodputPerSecond);
  const figures = `goodput peaks at ${rate(peak.goodputPerSecond)}/s and is ${rate(last.goodputPerSecond)}/s, ${percent(part)} of that, at ${rate(last.offeredPerSecond)} offered`;
  const named = part >= plateauPart ? "it plateaus" : "it degrades";
  const shed =
    part >= plateauPart && last.shedPerSecond > 0
      ? `; what is too much is turned away (${rate(last.shedPerSecond)}/s)`
      : "";
  return capitalised(`${prefix}beyond its capacity ${named}: ${figures}${shed}.`, prefix);
}

function scaleWords(points: readonly ScalePoint[], fit: ScalabilityFit | undefined): string[] {
  const listed = points
    .map(({ nodes, perSecond }) => `${nodes} ${nodes === 1 ? "node" : "nodes"} ${rate(perSecond)}/s`)
    .join(", ");
  if (fit === undefined) return [`Capacity by nodes: ${listed}. Too few points for a law.`];
  const { g, contention, coherency, peakNodes } = fit;
  const law = `Capacity by nodes: ${listed}. Universal Scalability Law: g ${rate(g)}/s, a ${contention.toFixed(3)}, b ${coherency.toFixed(4)}.`;
  const shared = "something that all nodes share (a), such as one store, or one machine's processors";
  const waits =
    contention < coefficientMin
      ? "Nothing to speak of is shared by all nodes (a): a second node adds as much as the first one gives."
      : contention > 1
        ? `Several nodes carry less than one: they take more from each other, of ${shared}, than each of them adds.`
        : `${percent(contention)} of the work waits for ${shared}.`;
  const agrees =
    coherency < coefficientMin
      ? "Nodes lose nothing by agreeing with each other (b)."
      : `Each pair of nodes costs ${percent(coherency)} of a node's work for agreeing with each other (b).`;
  const most = Math.max(...points.map(({ nodes }) => nodes));
  const end =
    peakNodes === undefined
      ? `Twice as many nodes, ${2 * most}, would do ${rate(scaledTo(fit, 2 * most))}/s by this law.`
      : `By this law it does most with ${Math.max(1, Math.round(peakNodes))} nodes; more of them do less.`;
  return [law, `${waits} ${agrees} ${end}`];
}

function sharedWords({ machine, loadCores, nodes }: CapacityReport): string {
  const many = nodes === undefined ? "The system" : `The ${nodes === 1 ? "node" : `${nodes} nodes`}`;
  const took = `the load took ${loadCores.toFixed(1)}`;
  if (machine.systemCores !== undefined) {
    const own = machine.cores - machine.systemCores;
    return `${many} had ${machine.systemCores} of this machine's ${machine.cores} processors, and the load ${own} of its own (${took}): on a machine of its own the system carries more.`;
  }
  return `${many} and the load share this machine's ${machine.cores} processors, of which ${took}: on a machine of its own the system carries more.`;
}

function crowded({ machine, nodes, loadProcesses }: CapacityReport): string[] {
  const processors = machine.systemCores ?? Math.max(1, machine.cores - loadProcesses);
  return machine.shared ? [crowdWords(nodes, processors) ?? []].flat() : [];
}

/** What it means when there are more nodes than processors for them; undefined when there are not. */
export function crowdWords(nodes: number | undefined, processors: number): string | undefined {
  if (nodes === undefined || nodes <= processors) return undefined;
  const have = processors === 1 ? "one processor" : `${processors} processors`;
  return `${nodes} nodes take turns on ${have}: what is found is how the machine shares it out among them, it swings from search to search, and fewer nodes carry more there.`;
}

function discardWords(report: CapacityReport): string[] {
  const late = lateOf(report);
  const disturbed = disturbedOf(report);
  return [
    ...(late === 0 ? [] : [`${thrownAway(late)}, because the load was late itself (p99 over ${lagMaxMs} ms).`]),
    ...(disturbed === 0 ? [] : [`${thrownAway(disturbed)}, because other programs had a part of the machine.`]),
  ];
}

function thrownAway(count: number): string {
  return count === 1 ? "One trial was thrown away" : `${count} trials were thrown away`;
}

function capitalised(text: string, prefix: string): string {
  return prefix === "" ? text.charAt(0).toUpperCase() + text.slice(1) : text;
}

export function rate(perSecond: number): string {
  return perSecond.toLocaleString("en", { maximumFractionDigits: perSecond < 10 ? 1 : 0 });
}

export function ms(value: number | undefined): string {
  return value === undefined ? "-" : `${value.toFixed(value < 10 ? 1 : 0)} ms`;
}

function percent(part: number): string {
  return `${(100 * part).toFixed(part < 0.1 ? 1 : 0)} %`;
}
