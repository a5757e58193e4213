/**
 * One attempt of a durable command: what its handler may see of the world, and in which order.
 *
 * Think of a chess player by post who keeps a log. Every letter is written into the log before it is posted; answers
 * are opened in the order in which the letters were written, one at a time, whatever order the postman brings them
 * in; and what an answer said is in the log before the next letter goes. If the player falls ill, a substitute with
 * the log makes the very same moves, and whoever gets a letter twice sees that it is the same letter.
 *
 * An id that was issued stands in the journal before its call leaves, so that every later attempt must issue it too,
 * with the same input; one that does not has changed its mind about something that has happened (it *strays*). What
 * a callee does not remember for ever (queries, stateless calls, steps) is recorded here, before anything leaves that
 * could tell of it.
 *
 * It never calls anybody, never writes, never waits; ids and hashes are made elsewhere.
 */
import { invariant } from "../../errors.ts";
import type { JournalEntry } from "../../ports/work.ts";

/**
 * Where the outcome of a call is remembered. `callee`: by the record of the keyed command that was called. `soon`: in
 * the journal, with whatever is written next, because asking again harms nobody. `now`: in the journal, as soon as it
 * is known, because doing it again may.
 */
export type Remembered = "callee" | "soon" | "now";

export interface Issue {
  /** The attempt's own number of the call. */
  readonly call: number;
  readonly id: string;
  readonly name: string;
  readonly inputHash: string;
  readonly remembered: Remembered;
}

export type AttemptInput =
  /** The handler makes a call or a step. */
  | ({ kind: "issue" } & Issue)
  /** What this write has in it is durable, and so is all that was written before. Said after the end, too. */
  | { kind: "written"; write: number }
  /** A call that left has its outcome, as text: a value or a declared error. */
  | { kind: "answered"; call: number; outcome: string }
  /** The event loop has turned since it was asked to: the handler has done all that it could with what it has. */
  | { kind: "turned" }
  /** The handler returned, or threw one of its declared errors. */
  | { kind: "ended" };

export type AttemptEffect =
  /**
   * Commit these to the item's journal, then say `written`. `issued`: the call that the last of them announces, of which
   * nothing has ever left. It may be carried out at once where nothing of it can become durable before these are; what
   * comes of that is nobody's to see before it may leave.
   */
  | { kind: "write"; write: number; entries: readonly JournalEntry[]; issued: number | null }
  /**
   * Let the call go, or do the step: its id and all that its handler has seen are durable. `first`: no attempt before
   * had issued it, so that nothing under its id has ever left.
   */
  | { kind: "leave"; call: number; first: boolean }
  /** Hand this outcome to the handler. */
  | { kind: "deliver"; call: number; outcome: string }
  /** Say `turned` in a later turn of the event loop. */
  | { kind: "turn" }
  /** Two calls of one attempt have one id: the handler is at fault. */
  | { kind: "twice"; call: number; name: string }
  /** This attempt does something else than an earlier one did; it must not go on. */
  | { kind: "stray"; reason: string }
  /** All that was ever issued has been issued again: what the handler leaves may be committed. */
  | { kind: "finish" };

interface Call {
  readonly issue: Issue;
  outcome: string | null;
  /** The write that must be durable before it leaves. */
  readonly after: number;
  /** No earlier attempt has issued it. */
  readonly first: boolean;
  left: boolean;
}

export class DurableAttempt {
  /** What earlier attempts, and this one, have issued; by id. */
  readonly #journal = new Map<string, JournalEntry>();
  /** What of it is durable. */
  readonly #durable = new Map<string, JournalEntry>();
  readonly #underWay = new Map<number, readonly JournalEntry[]>();
  readonly #issued = new Set<string>();
  /** Calls whose outcome the handler does not have yet, in the order of issue. */
  #open: Call[] = [];
  /** Outcomes to be recorded with the next write. */
  #unrecorded: JournalEntry[] = [];
  #lastWrite = 0;
  #durableWrite = 0;
  #turning = false;
  #strayed = false;
  #effects: AttemptEffect[] = [];

  constructor(journal: readonly JournalEntry[]) {
    for (const entry of journal) {
      this.#journal.set(entry.id, entry);
      this.#durable.set(entry.id, entry);
    }
  }

  /** The journal as it rests: the next attempt may not know more than one on another node would. */
  get durable(): readonly JournalEntry[] {
    return [...this.#durable.values()];
  }

  step(input: AttemptInput): readonly AttemptEffect[] {
    this.#effects = [];
    if (this.#strayed && input.kind !== "written") return this.#effects;
    switch (input.kind) {
      case "issue":
        this.#issue(input);
        break;
      case "written":
        this.#written(input.write);
        break;
      case "answered":
        this.#answered(input.call, input.outcome);
        break;
      case "turned":
        this.#turned();
        break;
      case "ended":
        this.#ended();
        break;
    }
    return this.#effects;
  }

  #issue({ call, id, name, inputHash, remembered }: Issue): void {
    if (this.#issued.has(id)) return void this.#effects.push({ kind: "twice", call, name });
    this.#issued.add(id);
    const known = this.#journal.get(id);
    if (known !== undefined && known.inputHash !== inputHash) {
      return this.#stray(`it called ${name} with another input than an earlier attempt did`);
    }
    const entry: JournalEntry = { id, name, inputHash, outcome: null };
    if (known === undefined) this.#journal.set(id, entry);
    const outcome = known?.outcome ?? null;
    // A recorded outcome needs no call; everything else leaves when what is known so far is durable.
    if (outcome === null) this.#write(known === undefined ? [entry] : [], known === undefined ? call : null);
    const issue = { call, id, name, inputHash, remembered };
    const first = known === undefined;
    const issued: Call = { issue, outcome, after: this.#lastWrite, first, left: outcome !== null };
    this.#open.push(issued);
    this.#release();
    this.#deliverSoon();
  }

  /**
   * Also what was answered and waits to be recorded; nothing when there is nothing. It carries what is under way once
   * more: should that fail and this succeed, no call may be known without the outcomes from which its input was made.
   */
  #write(entries: readonly JournalEntry[], issued: number | null): void {
    const added = this.#unrecorded.length === 0 ? entries : [...this.#unrecorded.splice(0), ...entries];
    if (added.length === 0) return;
    const all = this.#underWay.size === 0 ? added : this.#withUnderWay(added);
    this.#lastWrite += 1;
    this.#underWay.set(this.#lastWrite, all);
    this.#effects.push({ kind: "write", write: this.#lastWrite, entries: all, issued });
  }

  #withUnderWay(added: readonly JournalEntry[]): readonly JournalEntry[] {
    const byId = new Map<string, JournalEntry>();
    for (const before of this.#underWay.values()) for (const entry of before) byId.set(entry.id, entry);
    for (const entry of added) byId.set(entry.id, entry);
    return [...byId.values()];
  }

  #written(write: number): void {
    invariant(write <= this.#lastWrite, "only what was written becomes durable");
    this.#durableWrite = Math.max(this.#durableWrite, write);
    for (const entry of this.#underWay.get(write) ?? []) this.#durable.set(entry.id, entry);
    // What earlier writes brought is in this one.
    for (const earlier of this.#underWay.keys()) if (earlier <= write) this.#underWay.delete(earlier);
    this.#release();
  }

  #release(): void {
    if (this.#strayed) return;
    for (const call of this.#open) {
      if (call.left || call.after > this.#durableWrite) continue;
      call.left = true;
      this.#effects.push({ kind: "leave", call: call.issue.call, first: call.first });
    }
  }

  #answered(number: number, outcome: string): void {
    const call = this.#open.find(({ issue }) => issue.call === number);
    invariant(call?.left === true && call.outcome === null, "a call that has left is answered once");
    call.outcome = outcome;
    const { id, name, inputHash, remembered } = call.issue;
    if (remembered !== "callee") {
      const entry = { id, name, inputHash, outcome };
      this.#journal.set(id, entry);
      this.#unrecorded.push(entry);
      if (remembered === "now") this.#write([], null);
    }
    this.#deliverSoon();
  }

  #deliverSoon(): void {
    if (this.#turning || this.#open[0] === undefined || this.#open[0].outcome === null) return;
    this.#turning = true;
    this.#effects.push({ kind: "turn" });
  }

  #turned(): void {
    this.#turning = false;
    const first = this.#open[0];
    if (first === undefined || first.outcome === null) return;
    this.#open.shift();
    this.#effects.push({ kind: "deliver", call: first.issue.call, outcome: first.outcome });
    this.#deliverSoon();
  }

  #ended(): void {
    for (const { id, name } of this.#journal.values()) {
      if (!this.#issued.has(id))
        return this.#stray(`it ended without calling ${name}, which an earlier attempt called`);
    }
    this.#effects.push({ kind: "finish" });
  }

  #stray(reason: string): void {
    this.#strayed = true;
    this.#effects.push({ kind: "stray", reason });
  }
}
