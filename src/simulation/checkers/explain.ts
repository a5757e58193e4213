/**
 * Why there is no linearization, in a few lines: how far an order goes, what cannot be placed next, and the
 * smallest set of operations found that already contradict each other.
 *
 * Simply dropping operations while the rest stays impossible would mislead: without the write, any read of
 * its value is impossible. An operation is taken out of the explanation only by weakening it: if it changes
 * nothing it is dropped; else it may take effect at any time after its invocation, with any reply, or never.
 * What is still impossible then is so whatever those operations did.
 */
import type { Operation } from "../operations.ts";
import type { Model } from "./model.ts";
import type { Configuration, Start } from "./moves.ts";
import { type Item, isIdle, layOut, type Problem } from "./problem.ts";
import { orderOf, reachingPositions, type SearchLimits, type SearchResult, search } from "./search.ts";
import { describe, indent } from "./verdict.ts";

/** Bound of each search for a smaller explanation; one that hits it keeps its operation. */
const trialMax = 5_000;
const trialLimits = { depthFirstMax: trialMax, configurationsMax: trialMax, configurationsTotalMax: trialMax };
/** States, operations and the like that are listed before "and N more". */
const listedMax = 8;

type Impossible<State> = Extract<SearchResult<State>, { status: "impossible" }>;

/** The part of a problem that is explained. */
interface Window<State> {
  /** First position. */
  readonly from: number;
  /** The event of the return before it. */
  readonly since: number;
  readonly starts: readonly Start<State>[];
  readonly items: readonly Item[];
}

export interface Explanation {
  /** Several lines. */
  readonly text: string;
  /** Operations that contradict each other, whatever the others did. */
  readonly core: readonly Operation[];
  /** Event up to which all that returned is taken as it was: the others are those that returned later. */
  readonly since: number;
}

/** Explains why a search found nothing. */
export function explain<State>(
  problem: Problem,
  model: Model<State>,
  result: Impossible<State>,
  expired: SearchLimits["expired"],
): Explanation {
  const window = chooseWindow(problem, model, result);
  const { core, weakened } = shrink(window, model, { ...trialLimits, expired });
  const lines = [
    describeProgress(problem, model, result),
    `${describeStart(window, model)}; no order explains what follows:`,
    indent(drawTimeline(core)),
  ];
  if (weakened.length > 0) lines.push(`whenever, if ever, these took effect: ${list(weakened)}`);
  return { text: lines.join("\n"), core, since: window.since };
}

/**
 * From a position shortly before the end at which little was open, up to the return that cannot be reached:
 * all that an order can have done by then is in the starts.
 */
function chooseWindow<State>(problem: Problem, model: Model<State>, result: Impossible<State>): Window<State> {
  const last = result.deepest.position;
  let best = { from: last, reaching: result.reaching(last) };
  for (let from = last - 1; from >= Math.max(0, last - reachingPositions); from--) {
    const reaching = result.reaching(from);
    if (reaching.length <= best.reaching.length) best = { from, reaching };
  }
  const starts = best.reaching.map((configuration) => startAt(problem, configuration));
  const items = itemsOfWindow(problem, model, best.from, last);
  const since = best.from === 0 ? -1 : problem.items[problem.returns[best.from - 1]!]!.returnsAt;
  return {
    from: best.from,
    since,
    starts,
    items: items.filter((item) => !starts.every((s) => s.placed.has(item.operation))),
  };
}

function startAt<State>(problem: Problem, configuration: Configuration<State>): Start<State> {
  const returned = new Set(problem.returns.slice(0, configuration.position));
  const placed = orderOf(configuration).filter((item) => !returned.has(item));
  return { state: configuration.state, placed: new Set(placed.map((item) => problem.items[item]!.operation)) };
}

/** What is pending at `from` or invoked before `last` returns; what returns later than that has time. */
function itemsOfWindow<State>(problem: Problem, model: Model<State>, from: number, last: number): Item[] {
  const { items, returns } = problem;
  const [begin, end] = [items[returns[from]!]!.returnsAt, items[returns[last]!]!.returnsAt];
  return items
    .filter((item) => item.returnsAt >= begin && item.invokedAt < end)
    .map((item) => (item.returnsAt > end && Number.isFinite(item.returnsAt) ? inNoHurry(item) : item))
    .filter((item) => !isIdle(item, model));
}

function inNoHurry(item: Item): Item {
  return { ...item, returnsAt: Number.POSITIVE_INFINITY };
}

interface Shrunk {
  /** The operations left as they were. */
  readonly core: readonly Operation[];
  /** Those that may take effect at any time, or never. Others, which change nothing, are dropped. */
  readonly weakened: readonly Operation[];
}

/** Weakens one operation after the other, for as long as all stays impossible. */
function shrink<State>(window: Window<State>, model: Model<State>, limits: SearchLimits): Shrunk {
  const isImpossible = (items: readonly Item[]): boolean =>
    search(layOut(items, model), model, window.starts, limits).status === "impossible";
  let items = window.items;
  for (const item of window.items) {
    const weak: Item = { ...item, reply: undefined, returnsAt: Number.POSITIVE_INFINITY };
    const weaker = items.flatMap((each) => (each !== item ? [each] : isIdle(weak, model) ? [] : [weak]));
    if (isImpossible(weaker)) items = weaker;
  }
  const isWhole = (item: Item): boolean => window.items.includes(item);
  return {
    core: items.filter(isWhole).map((item) => item.operation),
    weakened: items.filter((item) => !isWhole(item)).map((item) => item.operation),
  };
}

function list(operations: readonly Operation[]): string {
  const listed = operations.slice(0, listedMax).map((operation) => describe(operation));
  return listed.join(", ") + (operations.length > listedMax ? ` and ${operations.length - listedMax} more` : "");
}

function describeProgress<State>(problem: Problem, model: Model<State>, { deepest }: Impossible<State>): string {
  const order = orderOf(deepest).map((item) => describe(problem.items[item]!.operation));
  const stuck = problem.items[problem.returns[deepest.position]!]!.operation;
  const shown = order.slice(-listedMax);
  const end = shown.length === 0 ? "" : `: ${shown.length < order.length ? "… " : ""}${shown.join(", ")}`;
  return [
    `an order of ${order.length} of the ${problem.items.length} operations fits${end}`,
    `it leads to the state ${model.describe(deepest.state)}, where ${describe(stuck)} has no place`,
  ].join("\n");
}

function describeStart<State>({ from, starts }: Window<State>, model: Model<State>): string {
  const states = [...new Set(starts.map((start) => model.describe(start.state)))];
  const listed = states.slice(0, listedMax).join(" or ");
  const more = states.length > listedMax ? ` or ${states.length - listedMax} more` : "";
  const when = from === 0 ? "at first" : `after ${from} operations have returned`;
  return `${when} the state is ${listed}${more}`;
}

/** One line for each operation; time goes to the right, a column for each event. */
function drawTimeline(operations: readonly Operation[]): string {
  const ends = operations.flatMap((operation) => [operation.invokedAt, operation.completedAt]).filter(Number.isFinite);
  const columns = new Map(ends.toSorted((a, b) => a - b).map((event, column) => [event, column * 2]));
  const width = columns.size * 2 - 1;
  const lines = operations.map((operation) => {
    const begin = columns.get(operation.invokedAt)!;
    const end = columns.get(operation.completedAt);
    const bar = end === undefined ? "├".padEnd(width - begin, "─") : `${"├".padEnd(end - begin, "─")}┤`;
    const events = `events ${operation.invokedAt} ${end === undefined ? "on" : `to ${operation.completedAt}`}`;
    return `${(" ".repeat(begin) + bar).padEnd(width)} ${describe(operation)} (process ${operation.process}, ${events})`;
  });
  return lines.join("\n");
}
