/**
 * The search for a linearization: an order of the operations of one entity that respects real time and that
 * a model, run sequentially, answers as the clients were answered.
 *
 * After Wing and Gong ("Testing and Verifying Concurrent Objects", 1993) with the two improvements of Lowe
 * ("Testing for Linearizability", 2017): operations take effect as late as they can, just before a return
 * that needs it, and a configuration that was met before is not searched again. Three more cuts keep real
 * histories small, each safe because any order found without it can be rearranged into one found with it:
 * - an operation that changes nothing takes effect as soon as its reply is right;
 * - of interchangeable operations, the one that returns first goes first;
 * - a configuration is skipped if a known one has the same state and has used up less.
 *
 * Depth first and iterative, since a history is longer than a call stack.
 */
import type { Reply } from "../operations.ts";
import { type Bits, emptyBits, hasBit, isSubset, withBit, withoutBit } from "./bits.ts";
import type { Model } from "./model.ts";
import type { Item, Problem } from "./problem.ts";

/** How far the search may go. */
export interface SearchLimits {
  /** Configurations that are kept in memory, about 300 bytes each. */
  readonly configurationsMax: number;
  /** Asked now and then; true ends the search. */
  readonly expired?: (() => boolean) | undefined;
}

/** A point of the search: what has taken effect when the return at `position` comes up. */
export interface Configuration<State> {
  readonly position: number;
  /** Of the pending items that return, those that have taken effect. */
  readonly placed: Bits;
  /** Of the optional items, those that have taken effect. */
  readonly used: Bits;
  readonly state: State;
  readonly parent: Configuration<State> | undefined;
  /** What took effect on the way from the parent: first what changed the state, then what read it. */
  readonly items: readonly number[];
  /** Whether it is the first at its position on its way. */
  arrival: boolean;
}

/** Where a search starts: items of the problem that have taken effect, and the state after them. */
export interface Start<State> {
  readonly state: State;
  readonly placed: ReadonlySet<Item["operation"]>;
}

export type SearchResult<State> =
  /** `order`: the witness, item numbers in the order in which they take effect. */
  | { readonly status: "linearizable"; readonly order: readonly number[] }
  | {
      readonly status: "impossible";
      /** A configuration at the farthest position that any order reaches. */
      readonly deepest: Configuration<State>;
      /** All configurations (but for those that can do no more than a listed one) that reach a position. */
      readonly reaching: (position: number) => readonly Configuration<State>[];
    }
  | { readonly status: "undecided"; readonly reason: string };

export function search<State>(
  problem: Problem,
  model: Model<State>,
  starts: readonly Start<State>[],
  limits: SearchLimits,
): SearchResult<State> {
  return new Search(problem, model, limits).run(starts);
}

/** One branching point of the depth-first search. */
interface Frame<State> {
  readonly configuration: Configuration<State>;
  /** What to try from here, the likeliest last. */
  choices: Choice<State>[];
  /** Whether `choices` has all; at first it only has what the position asks for. */
  complete: boolean;
}

interface Choice<State> {
  readonly item: number;
  readonly state: State;
}

/** Turns of the search between two looks at the clock. */
const expiryInterval = 1_024;

class Search<State> {
  readonly #problem: Problem;
  readonly #model: Model<State>;
  readonly #limits: SearchLimits;
  /** By position, then by what has been placed and the state. */
  readonly #known: Map<string, Configuration<State>[]>[] = [];
  readonly #stack: Frame<State>[] = [];
  #deepest: Configuration<State> | undefined;
  #configurations = 0;
  #turns = 0;

  constructor(problem: Problem, model: Model<State>, limits: SearchLimits) {
    this.#problem = problem;
    this.#model = model;
    this.#limits = limits;
  }

  run(starts: readonly Start<State>[]): SearchResult<State> {
    for (const start of starts) {
      const found = this.#visit(this.#root(start));
      if (found !== undefined) return found;
    }
    while (this.#stack.length > 0) {
      const stop = this.#stopReason();
      if (stop !== undefined) return { status: "undecided", reason: stop };
      const choice = this.#nextChoice();
      if (choice === undefined) continue;
      const found = this.#visit(this.#take(choice.from, choice.item, choice.state));
      if (found !== undefined) return found;
    }
    return { status: "impossible", deepest: this.#deepest!, reaching: (position) => this.#reaching(position) };
  }

  #stopReason(): string | undefined {
    const { configurationsMax, expired } = this.#limits;
    if (this.#configurations > configurationsMax) return `gave up after ${configurationsMax} configurations`;
    this.#turns += 1;
    if (this.#turns % expiryInterval === 0 && expired?.() === true) return "gave up at its deadline";
    return undefined;
  }

  /** The next thing to try from the top of the stack; undefined when that is exhausted and popped. */
  #nextChoice(): (Choice<State> & { readonly from: Configuration<State> }) | undefined {
    const frame = this.#stack.at(-1)!;
    if (frame.choices.length === 0 && !frame.complete) {
      frame.choices = this.#otherChoices(frame.configuration);
      frame.complete = true;
    }
    const choice = frame.choices.pop();
    if (choice === undefined) this.#stack.pop();
    return choice && { ...choice, from: frame.configuration };
  }

  /** Goes on from a configuration for as long as there is no choice; then it waits on the stack. */
  #visit(from: Configuration<State>): SearchResult<State> | undefined {
    const { returns, bit } = this.#problem;
    for (let configuration = from; this.#isNew(configuration); configuration = this.#advance(configuration)) {
      const item = returns[configuration.position];
      if (item === undefined) return { status: "linearizable", order: orderOf(configuration) };
      if (hasBit(configuration.placed, bit[item]!)) continue;
      if (configuration.position > (this.#deepest?.position ?? -1)) this.#deepest = configuration;
      this.#stack.push({ configuration, choices: this.#neededChoice(configuration, item), complete: false });
      return undefined;
    }
    return undefined;
  }

  /** Remembers a configuration, unless a known one can do all that it can. */
  #isNew(configuration: Configuration<State>): boolean {
    const { position, placed, used, state } = configuration;
    this.#known[position] ??= new Map();
    const key = `${placed.join()} ${this.#model.stateKey(state)}`;
    const alike = this.#known[position].get(key) ?? [];
    const better = alike.find((known) => isSubset(known.used, used));
    if (better !== undefined) {
      better.arrival ||= configuration.arrival;
      return false;
    }
    const kept = alike.filter((known) => !isSubset(used, known.used));
    if (kept.length < alike.length) configuration.arrival ||= alike.some((known) => known.arrival);
    this.#known[position].set(key, [...kept, configuration]);
    this.#configurations += 1 + kept.length - alike.length;
    return true;
  }

  /** Taking effect right now of the very operation that is about to return. */
  #neededChoice(configuration: Configuration<State>, item: number): Choice<State>[] {
    // One that changes nothing would have taken effect already.
    if (!this.#problem.writers[configuration.position]!.includes(item)) return [];
    const step = this.#step(configuration.state, item);
    return step.ok ? [{ item, state: step.state }] : [];
  }

  /** All other pending operations; at the end of the list those after which the returning one fits. */
  #otherChoices(configuration: Configuration<State>): Choice<State>[] {
    const { returns, writers, optional, optionalInvoked, bit, classOf } = this.#problem;
    const { position, placed, used, state } = configuration;
    const needed = returns[position]!;
    const classesTried = new Set<number>([classOf[needed]!]);
    const [helpful, others]: [Choice<State>[], Choice<State>[]] = [[], []];
    const consider = (item: number, mustChange: boolean): void => {
      if (classesTried.has(classOf[item]!)) return;
      classesTried.add(classOf[item]!);
      const step = this.#step(state, item);
      if (!step.ok) return;
      if (mustChange && this.#model.stateKey(step.state) === this.#model.stateKey(state)) return;
      (this.#step(step.state, needed).ok ? helpful : others).push({ item, state: step.state });
    };
    for (const item of writers[position]!) if (!hasBit(placed, bit[item]!)) consider(item, false);
    for (let index = 0; index < optionalInvoked[position]!; index++) {
      if (!hasBit(used, index)) consider(optional[index]!, true);
    }
    return [...others.reverse(), ...helpful.reverse()];
  }

  #take(from: Configuration<State>, item: number, state: State): Configuration<State> {
    const { items, bit } = this.#problem;
    const isOptional = items[item]!.returnsAt === Number.POSITIVE_INFINITY;
    const placed = isOptional ? from.placed : withBit(from.placed, bit[item]!);
    const used = isOptional ? withBit(from.used, bit[item]!) : from.used;
    const taken = { position: from.position, placed, used, state, parent: from, items: [item], arrival: false };
    return this.#withReads(taken);
  }

  /** The operation at the position has returned; its bit is free for another. */
  #advance(from: Configuration<State>): Configuration<State> {
    const returned = this.#problem.bit[this.#problem.returns[from.position]!]!;
    const placed = withoutBit(from.placed, returned);
    return this.#withReads({ ...from, position: from.position + 1, placed, parent: from, items: [], arrival: true });
  }

  /** Lets all pending operations that change nothing, and whose reply is right, take effect. */
  #withReads(configuration: Configuration<State>): Configuration<State> {
    const { readers, bit } = this.#problem;
    let placed = configuration.placed;
    const items = [...configuration.items];
    for (const item of readers[configuration.position] ?? []) {
      if (hasBit(placed, bit[item]!) || !this.#step(configuration.state, item).ok) continue;
      placed = withBit(placed, bit[item]!);
      items.push(item);
    }
    return items.length === configuration.items.length ? configuration : { ...configuration, placed, items };
  }

  #root(start: Start<State>): Configuration<State> {
    const { items, bit, bitsOfReturning, bitsOfOptional } = this.#problem;
    let placed = emptyBits(bitsOfReturning);
    let used = emptyBits(bitsOfOptional);
    for (const [item, { operation, returnsAt }] of items.entries()) {
      if (!start.placed.has(operation)) continue;
      if (returnsAt === Number.POSITIVE_INFINITY) used = withBit(used, bit[item]!);
      else placed = withBit(placed, bit[item]!);
    }
    const { state } = start;
    return this.#withReads({ position: 0, placed, used, state, parent: undefined, items: [], arrival: true });
  }

  #step(state: State, item: number): ReturnType<Model<State>["step"]> {
    const { operation, reply }: { operation: Item["operation"]; reply: Reply | undefined } = this.#problem.items[item]!;
    return this.#model.step(state, operation, reply);
  }

  #reaching(position: number): Configuration<State>[] {
    const known = [...(this.#known[position]?.values() ?? [])];
    return known.flat().filter((configuration) => configuration.arrival);
  }
}

/** What took effect on the way to a configuration, in order. */
export function orderOf<State>(configuration: Configuration<State>): number[] {
  const parts: (readonly number[])[] = [];
  for (let at: Configuration<State> | undefined = configuration; at !== undefined; at = at.parent) parts.push(at.items);
  return parts.reverse().flat();
}
