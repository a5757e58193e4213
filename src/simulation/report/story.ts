/**
 * The story of one run: its trace in the form in which pictures of it are drawn. Lanes are the places where something
 * happens (clients, nodes, the store); events happen on one lane, passages go from one to another, spans are what is
 * wrong with a lane for a while. The step that broke the promise is marked.
 */
import type { InjectedFault } from "../faults.ts";
import { describeFault } from "../faults.ts";
import type { Violation } from "../judge.ts";
import type { RunResult } from "../simulate.ts";
import type { StoreMethod } from "../world/store.ts";
import { isMinor } from "../world/store-words.ts";
import type { Passage, TraceLine } from "../world/trace.ts";

export type EventKind = "process" | "log" | "ran" | "store" | "client" | "fault" | "violation";

export interface StoryEvent {
  readonly at: number;
  /** Index of its lane; null for what is about the whole world. */
  readonly lane: number | null;
  readonly kind: EventKind;
  readonly text: string;
  /** Goes on all the time; of no interest by itself. */
  readonly minor: boolean;
  /** Its place in the order of everything. */
  readonly order: number;
  /** It is the step that broke the promise. */
  readonly violates: boolean;
}

export interface StoryPassage {
  readonly from: number;
  readonly to: number;
  readonly sentAt: number;
  /** Undefined when it never arrived. */
  readonly arrivedAt: number | undefined;
  readonly text: string;
  readonly minor: boolean;
  readonly order: number;
}

export type SpanKind = "fault" | "down" | "still";

/** For a while something is wrong: a fault, no process, or one that stands still. */
export interface StorySpan {
  readonly lane: number | null;
  readonly from: number;
  readonly to: number;
  readonly kind: SpanKind;
  readonly text: string;
}

export interface Story {
  readonly seed: number;
  readonly digest: string;
  readonly lanes: readonly string[];
  readonly endsAt: number;
  readonly events: readonly StoryEvent[];
  readonly passages: readonly StoryPassage[];
  readonly spans: readonly StorySpan[];
  readonly violations: readonly Violation[];
}

/** Of a run whose trace was kept. */
export function storyOf(result: RunResult): Story {
  const clients = [...new Set(result.trace.map(({ where }) => where).filter((where) => where.startsWith("client-")))];
  const byNumber = (a: string, b: string): number => Number(a.slice(7)) - Number(b.slice(7));
  const lanes = [...clients.sort(byNumber), ...result.nodes, "store"];
  const laneOf = new Map(lanes.map((name, index) => [name, index]));
  return {
    seed: result.seed,
    digest: result.digest,
    lanes,
    endsAt: result.simulatedMs,
    events: eventsOf(result, laneOf),
    passages: result.passages.flatMap((passage) => passageOf(passage, laneOf)),
    spans: [...faultSpans(result, laneOf), ...processSpans(result, laneOf)],
    violations: result.violations,
  };
}

/** What passages show better, and the hash of what came over a link. */
const shownAsPassages: ReadonlySet<string> = new Set(["message", "calls", "gets", "answers"]);
const logLevels: ReadonlySet<string> = new Set(["debug", "info", "warn", "error"]);

function eventsOf({ trace, violations }: RunResult, laneOf: ReadonlyMap<string, number>): StoryEvent[] {
  const guilty = violations[0] === undefined ? -1 : stepOf(trace, violations[0].traceLength - 1);
  const events: StoryEvent[] = [];
  for (const [index, line] of trace.entries()) {
    if (shownAsPassages.has(line.what) && index !== guilty) continue;
    const kind = kindOf(line);
    const minor = (kind === "store" && isMinor(line.what as StoreMethod)) || line.what === "debug";
    events.push({
      at: line.at,
      lane: laneOf.get(line.where) ?? null,
      kind,
      text: textOf(line, kind),
      minor,
      order: 2 * (index + 1),
      violates: index === guilty,
    });
  }
  return events;
}

function textOf({ where, what, text }: TraceLine, kind: EventKind): string {
  if (kind === "client") return `${where} ${what} ${text.replace(/ by client-\d+$/, "")}`;
  if (kind === "process") return `${where}: ${text.replace(/^(\d+) starts$/, "process $1 starts")}`;
  if (kind === "ran") return `${where} ran ${text}`;
  if (kind === "fault") return text.replace(/^(\w+) \1 /, "$1 ");
  return kind === "log" ? `${where} ${logLevels.has(what) ? "logs" : what}: ${text}` : text;
}

/** The last thing that happened before this line of the judge: it is what the judge speaks of. */
function stepOf(trace: readonly TraceLine[], verdict: number): number {
  let index = verdict;
  while (index >= 0 && trace[index]?.where === "judge") index--;
  return index;
}

function kindOf({ where, what }: TraceLine): EventKind {
  if (where === "judge") return "violation";
  if (where === "world") return "fault";
  if (where === "store") return "store";
  if (where.startsWith("client-")) return "client";
  if (logLevels.has(what)) return "log";
  if (what === "process" || what === "ran") return what;
  return what === "prints" || what === "throws" ? "log" : "ran";
}

function passageOf(passage: Passage, laneOf: ReadonlyMap<string, number>): StoryPassage[] {
  const [from, to] = [laneOf.get(passage.from), laneOf.get(passage.to)];
  if (from === undefined || to === undefined || from === to) return [];
  const { sentAt, arrivedAt, arrivedAfter, sentAfter, says, minor } = passage;
  const order = 2 * (arrivedAt === undefined ? sentAfter : arrivedAfter) + 1;
  // A piece of a message that is not whole with it says nothing by itself.
  const text = says.length > 0 ? says.join(" + ") : "part of a message";
  return [{ from, to, sentAt, arrivedAt, text, minor: minor || says.length === 0, order }];
}

function faultSpans({ injected, simulatedMs }: RunResult, laneOf: ReadonlyMap<string, number>): StorySpan[] {
  return injected.flatMap(({ fault, from, to }) =>
    lanesOf(fault, laneOf).map((lane) => ({
      lane,
      from,
      to: Math.min(to, simulatedMs),
      kind: "fault" as const,
      text: describeFault(fault),
    })),
  );
}

/** The lanes that a fault is drawn on. */
function lanesOf({ kind, nodes, amount }: InjectedFault["fault"], laneOf: ReadonlyMap<string, number>): number[] {
  const store = laneOf.get("store")!;
  const of = (names: readonly string[]): number[] => names.map((name) => laneOf.get(name) ?? store);
  if (kind === "storeRestart" || kind === "storeLock" || kind === "storeSlow") return [store];
  if (kind === "halves") return of(nodes.slice(0, amount));
  if (kind === "ring" || kind === "outage") return of(nodes);
  if (kind === "oneWay" || kind === "cut" || kind === "halfCut") return of(nodes.slice(0, 2));
  return of(nodes.slice(0, 1));
}

/** Where a machine has no process that serves, or one that stands still. */
function processSpans({ trace, nodes, injected, simulatedMs }: RunResult, laneOf: ReadonlyMap<string, number>) {
  const spans: StorySpan[] = [];
  for (const node of nodes) {
    const lane = laneOf.get(node)!;
    let since: number | undefined = 0;
    for (const { at, where, what, text } of trace) {
      if (where !== node || what !== "process") continue;
      const serves = text.startsWith("serves");
      if (serves && since !== undefined) {
        spans.push({ lane, from: since, to: at, kind: "down", text: `${node} does not serve` });
        since = undefined;
      } else if (!serves) since ??= at;
    }
    if (since !== undefined) spans.push({ lane, from: since, to: simulatedMs, kind: "down", text: `${node} is down` });
    for (const { fault, from, to } of injected) {
      if (fault.nodes[0] !== node || (fault.kind !== "pause" && fault.kind !== "suspend")) continue;
      spans.push({ lane, from, to: Math.min(to, simulatedMs), kind: "still", text: `${node} stands still` });
    }
  }
  return spans;
}
