/**
 * The moves of the search: from one configuration (what has taken effect so far, and the state after it) to
 * those that may follow. Pure; which to try first, and which to remember, is the search's business.
 *
 * Three rules leave out moves that cannot matter. Each is safe because an order that breaks it can be
 * rearranged into one that keeps it:
 * - an operation that changes nothing takes effect as soon as its reply is right;
 * - of interchangeable operations, the one that returns first goes first;
 * - an operation with an unknown outcome takes effect only if the next one would notice its absence.
 */
import { type Bits, emptyBits, hasBit, withBit, withoutBit } from "./bits.ts";
import type { Model, Step } from "./model.ts";
import type { Item, Problem } from "./problem.ts";

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
  /** The state without the last item, as long as that is optional and nothing has noticed it. */
  readonly unnoticed: { readonly before: State } | undefined;
  /** Whether it is the first at its position on its way, or stands in for one that is. */
  arrival: boolean;
  /** Another with the same position, placed items and state. */
  alike: Configuration<State> | undefined;
}

/** Where a search starts: operations that have taken effect, and the state after them. */
export interface Start<State> {
  readonly state: State;
  readonly placed: ReadonlySet<Item["operation"]>;
}

/** An item that may take effect next, and the state that it leads to. */
export interface Choice<State> {
  readonly item: number;
  readonly state: State;
}

const none: readonly number[] = [];

export class Moves<State> {
  readonly #problem: Problem;
  readonly #model: Model<State>;
  /** By position and state. */
  readonly #noticeableKnown = new Map<string, ReadonlySet<number>>();

  constructor(problem: Problem, model: Model<State>) {
    this.#problem = problem;
    this.#model = model;
  }

  start({ state, placed: operations }: Start<State>): Configuration<State> {
    const { items, bit, bitsOfReturning, bitsOfOptional } = this.#problem;
    let placed = emptyBits(bitsOfReturning);
    let used = emptyBits(bitsOfOptional);
    for (const [item, { operation }] of items.entries()) {
      if (!operations.has(operation)) continue;
      if (this.#isOptional(item)) used = withBit(used, bit[item]!);
      else placed = withBit(placed, bit[item]!);
    }
    return this.#settled({ position: 0, placed, used, state, parent: undefined, items: none, arrival: true });
  }

  /** Whether what returns at this position has taken effect, so that the search may `advance`. */
  canAdvance({ position, placed }: Configuration<State>): boolean {
    return hasBit(placed, this.#problem.bit[this.#problem.returns[position]!]!);
  }

  /** The operation at the position has returned; its bit is free for another. */
  advance(from: Configuration<State>): Configuration<State> {
    const { used, state } = from;
    const position = from.position + 1;
    const placed = withoutBit(from.placed, this.#problem.bit[this.#problem.returns[from.position]!]!);
    return this.#settled({ position, placed, used, state, parent: from, items: none, arrival: true });
  }

  take(from: Configuration<State>, { item, state }: Choice<State>): Configuration<State> {
    const { position } = from;
    const bit = this.#problem.bit[item]!;
    const isOptional = this.#isOptional(item);
    const placed = isOptional ? from.placed : withBit(from.placed, bit);
    const used = isOptional ? withBit(from.used, bit) : from.used;
    return this.#settled({ position, placed, used, state, parent: from, items: [item], arrival: false });
  }

  /** Taking effect right now of the very operation that is about to return. */
  neededChoice(from: Configuration<State>): Choice<State>[] {
    const item = this.#problem.returns[from.position]!;
    // One that changes nothing would have taken effect already.
    if (!this.#problem.writers[from.position]!.includes(item)) return [];
    const choice = this.#choice(from, item);
    return choice === undefined ? [] : [choice];
  }

  /**
   * The other pending operations that return, and the optional ones after which the returning one fits; at the
   * end of the list whatever helps it.
   */
  otherChoices(from: Configuration<State>): Choice<State>[] {
    const { returns, writers, bit } = this.#problem;
    const needed = returns[from.position]!;
    const returning = writers[from.position]!.filter((item) => !hasBit(from.placed, bit[item]!));
    const [helpful, others]: [Choice<State>[], Choice<State>[]] = [[], []];
    for (const choice of this.#choices(from, returning)) {
      (this.#step(choice.state, needed).ok ? helpful : others).push(choice);
    }
    for (const choice of this.#choices(from, this.#unused(from))) {
      if (this.#notices(needed, choice.state, from.state)) helpful.push(choice);
    }
    return [...others.reverse(), ...helpful.reverse()];
  }

  /** The optional operations that are left: those that some other pending operation would notice. */
  farChoices(from: Configuration<State>): Choice<State>[] {
    const needed = this.#problem.returns[from.position]!;
    const unused = this.#unused(from);
    if (unused.length === 0) return [];
    const noticeable = this.#noticeable(from);
    const far = unused.filter((item) => noticeable.has(item));
    return this.#choices(from, far).filter((choice) => !this.#notices(needed, choice.state, from.state));
  }

  /** The optional items of a position that have not taken effect. */
  #unused({ position, used }: Configuration<State>): number[] {
    const { optional, optionalInvoked } = this.#problem;
    const unused: number[] = [];
    for (let index = 0; index < optionalInvoked[position]!; index++) {
      if (!hasBit(used, index)) unused.push(optional[index]!);
    }
    return unused;
  }

  /** Those of the items, in this order, that are worth a try: one of each class. */
  #choices(from: Configuration<State>, items: readonly number[]): Choice<State>[] {
    const choices: Choice<State>[] = [];
    // One like the operation that is about to return has more time than that.
    const classesTried = new Set<number>([this.#problem.classOf[this.#problem.returns[from.position]!]!]);
    for (const item of items) {
      const classOfItem = this.#problem.classOf[item]!;
      if (classesTried.has(classOfItem)) continue;
      classesTried.add(classOfItem);
      const choice = this.#choice(from, item);
      if (choice !== undefined) choices.push(choice);
    }
    return choices;
  }

  /**
   * The optional items that any pending item could notice in this state, whatever has been placed. That
   * depends on little, and is asked for many configurations.
   */
  #noticeable({ position, state }: Configuration<State>): ReadonlySet<number> {
    const key = `${position} ${this.#model.stateKey(state)}`;
    const known = this.#noticeableKnown.get(key);
    if (known !== undefined) return known;
    const { optional, optionalInvoked, readers, writers } = this.#problem;
    const invoked = optional.slice(0, optionalInvoked[position]!);
    const others = [...readers[position]!, ...writers[position]!, ...invoked];
    const found = new Set<number>();
    for (const item of invoked) {
      const step = this.#step(state, item);
      if (!step.ok || this.#areEqual(step.state, state)) continue;
      if (others.some((other) => other !== item && this.#notices(other, step.state, state))) found.add(item);
    }
    this.#noticeableKnown.set(key, found);
    return found;
  }

  /** Whether an item fits in a state and would do something else, or not fit, in the state `without`. */
  #notices(item: number, state: State, without: State): boolean {
    const step = this.#step(state, item);
    if (!step.ok) return false;
    const changes = !this.#areEqual(step.state, state);
    if (!changes && this.#isOptional(item)) return false;
    const other = this.#step(without, item);
    if (!other.ok) return true;
    const changesWithout = !this.#areEqual(other.state, without);
    return (changes || changesWithout) && !this.#areEqual(other.state, step.state);
  }

  /** The item as a choice, unless it does not fit here or need not be tried here. */
  #choice({ state, unnoticed }: Configuration<State>, item: number): Choice<State> | undefined {
    const step = this.#step(state, item);
    if (!step.ok || (this.#isOptional(item) && this.#areEqual(step.state, state))) return undefined;
    if (unnoticed !== undefined && !this.#notices(item, state, unnoticed.before)) return undefined;
    return { item, state: step.state };
  }

  /** Lets all pending operations that change nothing, and whose reply is right, take effect. */
  #settled(made: Omit<Configuration<State>, "alike" | "unnoticed">): Configuration<State> {
    const { position, used, state, parent, arrival } = made;
    let { placed, items } = made;
    for (const item of this.#problem.readers[position] ?? none) {
      const bit = this.#problem.bit[item]!;
      if (hasBit(placed, bit) || !this.#step(state, item).ok) continue;
      placed = withBit(placed, bit);
      items = [...items, item];
    }
    // What reads the state now did not fit before, or it would have taken effect there.
    const isUnnoticed = items.length === 1 && parent !== undefined && this.#isOptional(items[0]!);
    const unnoticed = isUnnoticed ? { before: parent.state } : undefined;
    return { position, placed, used, state, parent, items, unnoticed, arrival, alike: undefined };
  }

  #isOptional(item: number): boolean {
    return this.#problem.items[item]!.returnsAt === Number.POSITIVE_INFINITY;
  }

  #areEqual(a: State, b: State): boolean {
    return this.#model.stateKey(a) === this.#model.stateKey(b);
  }

  #step(state: State, item: number): Step<State> {
    const { operation, reply } = this.#problem.items[item]!;
    return this.#model.step(state, operation, reply);
  }
}
