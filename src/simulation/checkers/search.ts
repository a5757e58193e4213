/**
 * The search for a linearization: an order of the operations of one entity that respects real time and that
 * a model, run sequentially, answers as the clients were answered.
 *
 * After Wing and Gong ("Testing and Verifying Concurrent Objects", 1993) with the two improvements of Lowe
 * ("Testing for Linearizability", 2017): operations take effect as late as they can, just before a return
 * that needs it, and a configuration is not searched again if a known one has the same state and has used up
 * no more.
 *
 * It looks in two ways, both iterative. Depth first finds an order quickly where there is one. Where there
 * is none it must see everything, and would remember everything; then a sweep, position by position, needs
 * to remember only the last few.
 */
import { isSubset } from "./bits.ts";
import type { Model } from "./model.ts";
import { type Choice, type Configuration, Moves, type Start } from "./moves.ts";
import type { Problem } from "./problem.ts";

/** How far the search may go. */
export interface SearchLimits {
  /** Configurations that the search by depth may meet before the sweep takes over. */
  readonly depthFirstMax: number;
  /** Configurations that are kept at a time, about 300 bytes each. */
  readonly configurationsMax: number;
  /** Configurations that are looked at in all. */
  readonly configurationsTotalMax: number;
  /** Asked now and then; true ends the search. */
  readonly expired?: (() => boolean) | undefined;
}

export type SearchResult<State> =
  /** `order`: the witness, item numbers in the order in which they take effect. */
  | { readonly status: "linearizable"; readonly order: readonly number[] }
  | {
      readonly status: "impossible";
      /** A configuration at the farthest position that any order reaches. */
      readonly deepest: Configuration<State>;
      /**
       * All configurations that reach a position, but for those that can do no more than a listed one. Known
       * for the farthest position and {@link reachingPositions} before it.
       */
      readonly reaching: (position: number) => readonly Configuration<State>[];
    }
  | { readonly status: "undecided"; readonly reason: string };

/** Positions before the farthest one of which an impossible search knows what reaches them. */
export const reachingPositions = 40;

/** Configurations between two looks at the clock. */
const expiryInterval = 1_024;

export function search<State>(
  problem: Problem,
  model: Model<State>,
  starts: readonly Start<State>[],
  limits: SearchLimits,
): SearchResult<State> {
  const moves = new Moves(problem, model);
  const begin = () => starts.map((start) => moves.start(start));
  const { depthFirstMax, configurationsTotalMax } = limits;
  const depthLimits = { ...limits, configurationsTotalMax: Math.min(depthFirstMax, configurationsTotalMax) };
  const found = depthFirst(problem, moves, begin(), new Known(model, depthLimits));
  if (found.status !== "undecided" || depthFirstMax >= configurationsTotalMax) return found;
  return sweep(problem, moves, begin(), new Known(model, limits));
}

/** One branching point of the search by depth. */
interface Frame<State> {
  readonly configuration: Configuration<State>;
  /** What to try from here, the likeliest last. */
  choices: Choice<State>[];
  /** What else to try when `choices` is empty, the likeliest last. */
  readonly more: ("other" | "far")[];
}

function depthFirst<State>(
  problem: Problem,
  moves: Moves<State>,
  starts: readonly Configuration<State>[],
  known: Known<State>,
): SearchResult<State> {
  const stack: Frame<State>[] = [];
  let deepest = starts[0]!;
  let waiting: readonly Configuration<State>[] = starts;
  for (;;) {
    for (let configuration of waiting) {
      let isNew = known.isNew(configuration);
      while (isNew && configuration.position < problem.returns.length && moves.canAdvance(configuration)) {
        configuration = moves.advance(configuration);
        isNew = known.isNew(configuration);
      }
      if (!isNew) continue;
      if (configuration.position === problem.returns.length) return linearizable(configuration);
      if (configuration.position > deepest.position) deepest = configuration;
      stack.push({ configuration, choices: moves.neededChoice(configuration), more: ["far", "other"] });
    }
    if (known.full !== undefined) return { status: "undecided", reason: known.full };
    const top = stack.at(-1);
    if (top === undefined) return { status: "impossible", deepest, reaching: (position) => known.reaching(position) };
    waiting = nextOf(top, moves);
    if (waiting.length === 0) stack.pop();
  }
}

/** The next configuration to try from a branching point, in a list; an empty one when there is none left. */
function nextOf<State>(frame: Frame<State>, moves: Moves<State>): Configuration<State>[] {
  const { configuration, more } = frame;
  while (frame.choices.length === 0 && more.length > 0) {
    frame.choices = more.pop() === "other" ? moves.otherChoices(configuration) : moves.farChoices(configuration);
  }
  const choice = frame.choices.pop();
  return choice === undefined ? [] : [moves.take(configuration, choice)];
}

function sweep<State>(
  problem: Problem,
  moves: Moves<State>,
  starts: readonly Configuration<State>[],
  known: Known<State>,
): SearchResult<State> {
  let arrived = starts.filter((configuration) => known.isNew(configuration));
  for (;;) {
    const [deepest] = arrived;
    const next: Configuration<State>[] = [];
    for (const stack = arrived; stack.length > 0; ) {
      const from = stack.pop()!;
      if (from.position === problem.returns.length) return linearizable(from);
      for (const follower of followersOf(from, moves)) {
        if (known.isNew(follower)) (follower.position > from.position ? next : stack).push(follower);
      }
      if (known.full !== undefined) return { status: "undecided", reason: known.full };
    }
    if (next.length === 0) {
      return { status: "impossible", deepest: deepest!, reaching: (position) => known.reaching(position) };
    }
    arrived = next;
    known.forget(next[0]!.position - reachingPositions - 1);
  }
}

function followersOf<State>(from: Configuration<State>, moves: Moves<State>): Configuration<State>[] {
  if (moves.canAdvance(from)) return [moves.advance(from)];
  const choices = [...moves.neededChoice(from), ...moves.otherChoices(from), ...moves.farChoices(from)];
  return choices.map((choice) => moves.take(from, choice));
}

function linearizable<State>(configuration: Configuration<State>): SearchResult<State> {
  return { status: "linearizable", order: orderOf(configuration) };
}

/** What took effect on the way to a configuration, in order. */
export function orderOf<State>(configuration: Configuration<State>): number[] {
  const parts: (readonly number[])[] = [];
  for (let at: Configuration<State> | undefined = configuration; at !== undefined; at = at.parent) parts.push(at.items);
  return parts.reverse().flat();
}

/** The configurations met so far. */
class Known<State> {
  readonly #model: Model<State>;
  readonly #limits: SearchLimits;
  /** By position, then by what has been placed and the state. */
  readonly #byPosition = new Map<number, Map<string, Configuration<State>>>();
  #kept = 0;
  #total = 0;
  #expired = false;

  constructor(model: Model<State>, limits: SearchLimits) {
    this.#model = model;
    this.#limits = limits;
  }

  /** Why the search must end, if it must. */
  get full(): string | undefined {
    const { configurationsMax, configurationsTotalMax } = this.#limits;
    if (this.#kept > configurationsMax) return `gave up with ${configurationsMax} configurations at once`;
    if (this.#total > configurationsTotalMax) return `gave up after ${configurationsTotalMax} configurations`;
    return this.#expired ? "gave up at its deadline" : undefined;
  }

  /** Remembers a configuration, unless a known one can do all that it can. */
  isNew(configuration: Configuration<State>): boolean {
    this.#total += 1;
    if (this.#total % expiryInterval === 0 && this.#limits.expired?.() === true) this.#expired = true;
    const known = this.#at(configuration.position);
    const key = `${configuration.placed.join()} ${this.#model.stateKey(configuration.state)}`;
    // One with an unnoticed item covers too: the moves that it may not make, its parent makes with less.
    configuration.alike = known.get(key);
    if (isCovered(configuration, configuration.alike)) return false;
    known.set(key, configuration);
    this.#kept += 1;
    return true;
  }

  reaching(position: number): Configuration<State>[] {
    const reaching: Configuration<State>[] = [];
    for (const known of this.#at(position).values()) {
      for (let each: typeof known | undefined = known; each !== undefined; each = each.alike) {
        if (each.arrival) reaching.push(each);
      }
    }
    return reaching;
  }

  forget(position: number): void {
    for (const known of this.#at(position).values()) {
      for (let each: typeof known | undefined = known; each !== undefined; each = each.alike) this.#kept -= 1;
    }
    this.#byPosition.delete(position);
  }

  #at(position: number): Map<string, Configuration<State>> {
    const known = this.#byPosition.get(position) ?? new Map<string, Configuration<State>>();
    this.#byPosition.set(position, known);
    return known;
  }
}

/** Whether one of the known configurations with the same state has used up no more. */
function isCovered<State>(configuration: Configuration<State>, first: Configuration<State> | undefined): boolean {
  for (let known = first; known !== undefined; known = known.alike) {
    if (!isSubset(known.used, configuration.used)) continue;
    known.arrival ||= configuration.arrival;
    return true;
  }
  return false;
}
