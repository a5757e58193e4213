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

  /** All other pending operations; at the end of the list those after which the returning one fits. */
  otherChoices(from: Configuration<State>): Choice<State>[] {
    const { returns, writers, optional, optionalInvoked, bit, classOf } = this.#problem;
    const needed = returns[from.position]!;
    const classesTried = new Set<number>([classOf[needed]!]);
    const [helpful, others]: [Choice<State>[], Choice<State>[]] = [[], []];
    const consider = (item: number): void => {
      if (classesTried.has(classOf[item]!)) return;
      classesTried.add(classOf[item]!);
      const choice = this.#choice(from, item);
      if (choice !== undefined) (this.#step(choice.state, needed).ok ? helpful : others).push(choice);
    };
    for (const item of writers[from.position]!) if (!hasBit(from.placed, bit[item]!)) consider(item);
    for (let index = 0; index < optionalInvoked[from.position]!; index++) {
      if (!hasBit(from.used, index)) consider(optional[index]!);
    }
    return [...others.reverse(), ...helpful.reverse()];
  }

  /** The item as a choice, unless it does not fit here or need not be tried here. */
  #choice({ state, unnoticed }: Configuration<State>, item: number): Choice<State> | undefined {
    const step = this.#step(state, item);
    if (!step.ok) return undefined;
    if (this.#isOptional(item) && this.#areEqual(step.state, state)) return undefined;
    if (unnoticed !== undefined) {
      const without = this.#step(unnoticed.before, item);
      if (without.ok && this.#areEqual(without.state, step.state)) return undefined;
    }
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
