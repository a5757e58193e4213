/**
 * The order of one entity, as the store decided it: which runs of its handlers took effect, one after the other, and
 * the state after each. Business logic is its own specification here: every run that took effect must have begun on
 * the state that the one before it left, and the last one must have left what was committed.
 *
 * The store says which state and which records it accepted, not which runs are in a commit. They are found again,
 * because a node commits what it ran in the order in which it ran it.
 */
import type { EntityChange } from "../../ports/store.ts";
import { describeOperation, describeReply, type HandlerRun, shortened } from "../operation.ts";
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

/** The id of a request that nobody repeats, or of a timer, which is cleared instead: it leaves no record. */
const recordlessForm = /^[\w-]{12}-\d+(\.\d+)*$|~\d+$/;
/** Of these, a request's. */
const requestForm = /^[\w-]{12}-\d+(\.\d+)*$/;

/** How many of the pending runs, from the first, a commit contains. */
interface Stretch {
  /** What the store accepted cannot be less. */
  readonly shortest: number;
  readonly longest: number;
  /** Runs before them, which were thought to be in the commit before. */
  readonly doubtful?: readonly HandlerRun[];
  /** How many of the pending runs, from the first, were undone: the stretch begins after them. */
  readonly undone?: number;
}

/** States of the entity. */
interface Texts {
  readonly before: string;
  readonly after: string;
  readonly initial: string;
}

/** What is known of a commit besides what it did to the entity. */
export interface Acceptance {
  /** When the store accepted it, ms of the world. */
  readonly at: number;
  /** Whether what these runs left behind for later is what the commit writes. */
  readonly explains: (runs: readonly HandlerRun[]) => boolean;
  /** Whether a run may have been undone with what called it; all that ran on what it left was, too, and ran again. */
  readonly mayBeUndone: (run: HandlerRun) => boolean;
}

export class EntityOrder {
  readonly name: string;
  readonly #initial: string;
  readonly steps: Step[] = [];
  /** When each higher position was first heard of by somebody who has been answered. */
  readonly #observations: { readonly at: number; readonly position: number }[] = [];
  /** Runs that ended well and are not known to be committed, by process; since it last loaded the entity. */
  readonly #pending = new Map<Process, HandlerRun[]>();
  /**
   * Runs at the end of the last commit that may as well be in the next one: they left the state and no record, and what
   * they left behind others in that commit did too (such as that a timer is cleared).
   */
  #doubtful: readonly HandlerRun[] = [];
  /** All that ever were doubtful, and were not found in a later commit: they may as well be lost. */
  readonly #uncertain = new WeakSet<HandlerRun>();

  constructor(name: string, initial: string) {
    this.name = name;
    this.#initial = initial;
  }

  get text(): string {
    return this.steps.at(-1)?.text ?? this.#initial;
  }

  /** The highest position that somebody has heard of who has been answered. */
  get observed(): number {
    return this.#observations.at(-1)?.position ?? 0;
  }

  /** The same at an earlier instant, and not of that instant itself. */
  observedBefore(at: number): number {
    return this.#observations.findLast((one) => one.at < at)?.position ?? 0;
  }

  observe(position: number, at: number): void {
    if (position > this.observed) this.#observations.push({ at, position });
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

  /** Whether a run that is in the order can only have taken effect: another one's may look like its. */
  isCertain(run: HandlerRun): boolean {
    return !this.#uncertain.has(run);
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
  accept(
    change: EntityChange,
    all: readonly HandlerRun[],
    { at, explains, mayBeUndone }: Acceptance,
  ): readonly HandlerRun[] | string {
    const after = change.state ?? (change.version === 0 ? this.#initial : this.text);
    const texts = { before: this.text, after, initial: this.#initial };
    const undone = lengthUndone(all);
    const ran = all.slice(undone);
    // Where no runs leave behind what it writes, what it does to the state still says which runs it has.
    const stretch =
      stretchOf(change, ran, texts, explains) ??
      this.#withDoubtful(change, ran, texts, explains) ??
      afterUndone(change, ran, texts, { explains, mayBeUndone: (run) => undone > 0 || mayBeUndone(run) }) ??
      stretchOf(change, ran, texts, () => true);
    if (stretch === undefined) return this.#unexplained(change, ran, after);
    const pending = ran.slice(stretch.undone ?? 0);
    const found = pending.slice(0, stretch.longest);
    this.#doubtful = pending.slice(stretch.shortest, stretch.longest).filter(({ id }) => requestForm.test(id));
    for (const run of stretch.doubtful ?? []) this.#uncertain.delete(run);
    for (const run of this.#doubtful) this.#uncertain.add(run);
    let text = this.text;
    for (const run of found) {
      text = run.end ?? text;
      run.position = this.steps.length + 1;
      this.steps.push({ position: run.position, text, run, at });
    }
    this.#forget(found.at(-1));
    return [...(stretch.doubtful ?? []), ...found];
  }

  #withDoubtful(
    change: EntityChange,
    pending: readonly HandlerRun[],
    texts: Texts,
    explains: Acceptance["explains"],
  ): Stretch | undefined {
    for (let from = 0; from < this.#doubtful.length; from++) {
      const doubtful = this.#doubtful.slice(from);
      const stretch = stretchOf(change, pending, texts, (runs) => explains([...doubtful, ...runs]));
      if (stretch !== undefined) return { ...stretch, doubtful };
    }
    return undefined;
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
    const lost = after === this.text ? [] : this.#overwrittenSince(pending[0]?.start ?? null);
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
      ...lost.map((line) => `  ${line}`),
    ].join("\n");
  }

  /** What was answered as done, and is undone by a commit of handlers that had seen only what was before it. */
  #overwrittenSince(seen: string | null): string[] {
    if (seen === null) return [];
    let position = this.steps.length;
    while (position > 0 && this.textAt(position) !== seen) position--;
    if (this.textAt(position) !== seen) return [];
    return this.steps.slice(position).flatMap(({ run: { client, operation, end, start } }) => {
      const acknowledged = client?.outcome === "ok" && client.request.operation === operation;
      if (!acknowledged || end === null || end === start) return [];
      return `an acknowledged ${operation} was lost: ${describeOperation(client)} was answered ${describeReply(client.reply)}`;
    });
  }
}

/**
 * How many runs, from the first, are known to be void: a command runs again only when all that was not durable is undone. So
 * may those be that follow.
 */
function lengthUndone(runs: readonly HandlerRun[]): number {
  const later = new Set<string>();
  for (const [index, { id }] of [...runs.entries()].reverse()) {
    if (later.has(id)) return index + 1;
    later.add(id);
  }
  return 0;
}

/** The runs up to one that may have been undone were undone with it; their commands have not all run again yet, or do not. */
function afterUndone(
  change: EntityChange,
  ran: readonly HandlerRun[],
  texts: Texts,
  { explains, mayBeUndone }: Pick<Acceptance, "explains" | "mayBeUndone">,
): Stretch | undefined {
  let isPossible = false;
  for (const [index, run] of ran.entries()) {
    isPossible ||= mayBeUndone(run);
    const stretch = isPossible ? stretchOf(change, ran.slice(index + 1), texts, explains) : undefined;
    if (stretch !== undefined) return { ...stretch, undone: index + 1 };
  }
  return undefined;
}

/**
 * The stretch of pending runs, from the first, that a commit contains: they join up, from the state before to
 * the state after, their ids are those of the records, and the changes among them are as many as the version grew.
 * One that changed nothing and left no record belongs to what came before it, if it can.
 */
function stretchOf(
  change: EntityChange,
  pending: readonly HandlerRun[],
  { before, after, initial }: Texts,
  explains: Acceptance["explains"],
): Stretch | undefined {
  const ids = new Set(change.records.map(({ id }) => id));
  const counts = change.expectedVersion > 0 && change.version > 0;
  const growth = change.version - change.expectedVersion;
  let [text, changes, recorded, wentAway] = [before, 0, 0, false];
  let hasRow = change.expectedVersion > 0;
  // An acceptance, or a timer that is let go: pending work comes and goes, and nothing of the entity changes.
  const unchanged = text === after && ids.size === 0 && change.version === change.expectedVersion;
  let stretch: Stretch | undefined = unchanged && explains([]) ? { shortest: 0, longest: 0 } : undefined;
  for (const [index, run] of pending.entries()) {
    if (run.start !== null && run.start !== text) break;
    if (ids.has(run.id)) recorded++;
    else if (!recordlessForm.test(run.id)) break;
    wentAway ||= run.cleared;
    if (run.cleared && run.end === initial) hasRow = false;
    else if (run.end !== null && run.end !== text) {
      changes++;
      hasRow = true;
    }
    text = run.end ?? text;
    // A row that went away and comes back has a version above all in its shard: it may have grown by more.
    const grown = !counts || (wentAway ? changes <= growth : changes === growth);
    const whole = text === after && recorded === ids.size && grown && hasRow === change.version > 0;
    const longest = index + 1;
    if (whole && explains(pending.slice(0, longest))) stretch = { shortest: stretch?.shortest ?? longest, longest };
  }
  return stretch;
}
