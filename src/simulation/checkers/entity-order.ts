/**
 * The order of one entity, as the store decided it: which runs of its handlers took effect, one after the other, and
 * the state after each. Business logic is its own specification here: every run that took effect must have begun on
 * the state that the one before it left, and the last one must have left what was committed.
 *
 * The store says which state and which records it accepted, not which runs are in a commit. They are found again:
 * those whose records are in it, and such runs without an id as make the states join up.
 */
import type { EntityChange } from "../../ports/store.ts";
import type { HandlerRun } from "../operation.ts";
import { shortened } from "../operation.ts";
import type { Process } from "../world/process.ts";

/** One step of the order. */
export interface Step {
  /** From 1, without gaps. */
  readonly position: number;
  /** The state after it. */
  readonly text: string;
  readonly run: HandlerRun;
  /** When the store accepted it, ms of the world. */
  readonly at: number;
}

/** Chains of runs that are tried before a commit counts as unexplained. */
const attemptsMax = 20_000;
/** The id of a request that nobody repeats: it leaves no record. */
const requestIdForm = /^[\w-]{12}-\d+(\.\d+)*$/;

export class EntityOrder {
  readonly name: string;
  readonly #initial: string;
  readonly steps: Step[] = [];
  /** The highest position that somebody has heard of who has been answered. */
  observed = 0;
  /** Runs that ended well and are not known to be committed, by process; since it last loaded the entity. */
  readonly #pending = new Map<Process, HandlerRun[]>();

  constructor(name: string, initial: string) {
    this.name = name;
    this.#initial = initial;
  }

  get text(): string {
    return this.steps.at(-1)?.text ?? this.#initial;
  }

  /** The state at a position; 0 is the initial one. */
  textAt(position: number): string | undefined {
    return position === 0 ? this.#initial : this.steps[position - 1]?.text;
  }

  /** The first position from `floor` on at which the entity had this state. */
  positionOf(text: string, floor: number): number | undefined {
    for (let position = floor; position <= this.steps.length; position++) {
      if (this.textAt(position) === text) return position;
    }
    return undefined;
  }

  /** Whether the entity ever had this state. */
  had(text: string): boolean {
    for (let position = this.steps.length; position >= 0; position--) {
      if (this.textAt(position) === text) return true;
    }
    return false;
  }

  /** The process loads the entity, or goes back to what is durable: what it ran and has not committed is gone. */
  forgotten(process: Process): void {
    this.#pending.set(process, []);
  }

  ended(run: HandlerRun): void {
    const pending = this.#pending.get(run.process);
    if (pending === undefined) this.#pending.set(run.process, [run]);
    else pending.push(run);
  }

  /** What may be in a commit that is sent now. */
  pendingOf(process: Process): readonly HandlerRun[] {
    return [...(this.#pending.get(process) ?? [])];
  }

  /** The store accepted a change. Returns the runs that took effect by it, or in words why there are none such. */
  accept(change: EntityChange, pending: readonly HandlerRun[], at: number): readonly HandlerRun[] | string {
    const after = change.state ?? (change.version === 0 ? this.#initial : this.text);
    const found = new Explanation(change, pending, { before: this.text, after }).find();
    if (found === undefined) return this.#unexplained(change, pending, after);
    let text = this.text;
    for (const run of found) {
      text = run.end ?? text;
      run.position = this.steps.length + 1;
      this.steps.push({ position: run.position, text, run, at });
    }
    this.#forget(found.at(-1));
    return found;
  }

  #forget(last: HandlerRun | undefined): void {
    if (last === undefined) return;
    const pending = this.#pending.get(last.process) ?? [];
    const index = pending.indexOf(last);
    if (index >= 0) this.#pending.set(last.process, pending.slice(index + 1));
  }

  #unexplained(change: EntityChange, pending: readonly HandlerRun[], after: string): string {
    const ran = pending.map(({ operation, start, end }) => {
      return `${operation}: ${start === null ? "?" : shortened(start)} → ${end === null ? "unchanged" : shortened(end)}`;
    });
    // The next commits are judged from what is in the store now.
    const last = pending.at(-1);
    if (last !== undefined) {
      last.position = this.steps.length + 1;
      this.steps.push({ position: last.position, text: after, run: last, at: 0 });
      this.#forget(last);
    }
    return [
      `a commit took ${this.name} from version ${change.expectedVersion} to ${change.version}, and no handlers run one after the other lead there`,
      `  durable before: ${shortened(this.steps.at(-2)?.text ?? this.#initial)}`,
      `  committed:      ${shortened(after)} with ${change.records.length} records`,
      ...ran.map((line) => `  ran: ${line}`),
    ].join("\n");
  }
}

/** A search for the runs that make up one commit: a chain of states with all records on the way. */
class Explanation {
  readonly #pending: readonly HandlerRun[];
  readonly #before: string;
  readonly #after: string;
  /** How many runs changed the state; unknown when the row came into being with this commit. */
  readonly #changes: number | undefined;
  readonly #ids: ReadonlySet<string>;
  #attempts = 0;

  constructor(change: EntityChange, pending: readonly HandlerRun[], states: { before: string; after: string }) {
    this.#pending = pending;
    this.#before = states.before;
    this.#after = states.after;
    this.#ids = new Set(change.records.map(({ id }) => id));
    // A row that went away and came back has a version that says nothing.
    const cleared = pending.some((run) => run.cleared);
    const counted = change.expectedVersion > 0 && change.version > 0 && !cleared;
    this.#changes = counted ? change.version - change.expectedVersion : undefined;
  }

  find(): readonly HandlerRun[] | undefined {
    return this.#from(this.#pending.length - 1, this.#after, this.#ids.size, this.#changes);
  }

  /** The chain is built from its end, and as long as can be: the latest run of an id is the one that counts. */
  #from(
    index: number,
    target: string | undefined,
    idsLeft: number,
    changesLeft: number | undefined,
  ): readonly HandlerRun[] | undefined {
    if (index >= 0 && ++this.#attempts <= attemptsMax) {
      const run = this.#pending[index]!;
      const recorded = this.#ids.has(run.id);
      const mayBe = (recorded || requestIdForm.test(run.id)) && leadsTo(run, target) && !this.#laterCopy(run, index);
      for (const { before, changes } of mayBe ? waysInto(run, target) : []) {
        const left = changesLeft === undefined ? undefined : changesLeft - changes;
        if (left !== undefined && left < 0) continue;
        const rest = this.#from(index - 1, before, idsLeft - (recorded ? 1 : 0), left);
        if (rest !== undefined) return [...rest, run];
      }
    }
    const joined = target === undefined || target === this.#before;
    if (idsLeft === 0 && joined && (changesLeft ?? 0) === 0) return [];
    if (index < 0 || this.#attempts > attemptsMax) return undefined;
    return this.#from(index - 1, target, idsLeft, changesLeft);
  }

  /** A recorded run counts once: the one that ran last. */
  #laterCopy(run: HandlerRun, index: number): boolean {
    return this.#pending.some((other, at) => at > index && other.id === run.id);
  }
}

function leadsTo({ start, end }: HandlerRun, target: string | undefined): boolean {
  if (target === undefined) return true;
  if (end !== null) return end === target;
  return start === null || start === target;
}

/** The states from which a run may have led there, and by how many changes. */
function waysInto(
  { start, end }: HandlerRun,
  target: string | undefined,
): { before: string | undefined; changes: number }[] {
  if (end === null) return [{ before: start ?? target, changes: 0 }];
  if (start !== null) return [{ before: start, changes: start === end ? 0 : 1 }];
  // It wrote without looking: maybe what was there already.
  return [
    { before: undefined, changes: 1 },
    { before: end, changes: 0 },
  ];
}
