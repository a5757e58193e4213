/**
 * The timers of one shard: which is due, and which part of them is worth having in memory.
 *
 * A diary of which only the next pages lie open on the desk; the rest stands in the cupboard (the store). New dates
 * are entered in both places, but those beyond the open pages only in the cupboard. When the desk is nearly empty the
 * next pages are fetched. Nobody leafs through the diary to see whether something is due: the earliest date on the
 * desk says when to look.
 *
 * Whoever looks after the diary may drop dead over an appointment. So before somebody goes to one that the last keeper
 * may have gone to, a stroke is made beside it, in the cupboard too; with too many strokes nobody goes any more. Who has
 * only waited in front of a closed door rubs his stroke out.
 *
 * It knows what is durable. Whether a timer has been set anew or cleared by a command that is not durable yet, whoever
 * fires it asks the entity; a timer that is void then is simply still there, or gone, when that becomes durable.
 */
import { invariant } from "../../errors.ts";
import type { TimerPlace, TimerRow } from "../../ports/work.ts";
import { Heap } from "../../values/heap.ts";

export type TimersInput =
  /** The shard is this node's: nothing is known of its timers. */
  | { kind: "claimed" }
  /** It is durable that this timer is set, in place of any other of its name. */
  | { kind: "set"; row: TimerRow }
  /** It is durable that there is no timer of that name. */
  | { kind: "cleared"; key: string; name: string }
  /** The answer to `read`; `next` is null behind the last row. */
  | { kind: "page"; rows: readonly TimerRow[]; next: TimerPlace | null }
  /** How a firing ended. `chance` is a number in [0, 1) for the wait before the next try. */
  | {
      kind: "fired";
      key: string;
      name: string;
      generation: number;
      now: number;
      /**
       * `done`: it ran, or must not run; what it is now is told by `set` or `cleared`. `waits`: it could not run now.
       * Else its command failed.
       */
      outcome: "done" | "waits" | FailedFiring;
      chance: number;
    }
  /** It is `now`, ms since 1970 by the wall clock. */
  | { kind: "time"; now: number };

export type TimersEffect =
  /** Read so many rows behind `after`, then say `page`; one read at a time. */
  | { kind: "read"; after: TimerPlace | null; limit: number }
  /** It is due: run it if it is still set, then say `fired`. Not before its row durably says so many attempts, if `count` does. */
  | { kind: "fire"; row: TimerRow; count: number | null }
  /** Its row says more attempts than were spent: write this; nothing waits for it. */
  | { kind: "uncount"; row: TimerRow; attempts: number }
  /** Its command failed too often, at last like that; null: its owner died over the last try. Park it, which clears the timer. */
  | { kind: "exhausted"; row: TimerRow; last: FailedFiring | null };

/** A command of a timer failed. */
export interface FailedFiring {
  readonly code: string;
  readonly message: string;
  /** What its handler threw, for operators. */
  readonly thrown?: string;
}

export interface TimersOptions {
  /** Generations from here on are given out by this owner: nobody before it has tried such a timer. */
  readonly ownFrom: number;
  /** Timers that lie open and are not due. */
  readonly lengthMax: number;
  /** Rows of one page. */
  readonly pageLengthMax: number;
  /** Characters of their inputs. */
  readonly inputLengthMax: number;
  /** Timers that are due and could not run yet. */
  readonly overdueMax: number;
  readonly firingsMax: number;
  readonly attemptsMax: number;
  readonly backoffBaseMs: number;
  readonly backoffMaxMs: number;
}

interface Entry {
  readonly row: TimerRow;
  /** `waiting` ones stand in the list by their due time; the others are overdue. */
  stage: "waiting" | "firing" | "backoff" | "over";
  tries: number;
  /** Tries that failed here, or that their owner may have died over. */
  failures: number;
  /** How the last try failed here. */
  last: FailedFiring | null;
  /** What its row says. */
  counted: number;
}

export class Timers {
  readonly #options: TimersOptions;
  readonly #byName = new Map<string, Entry>();
  /** Ascending by due time. */
  readonly #waiting: Entry[] = [];
  #inputLength = 0;
  #overdue = 0;
  #firing = 0;
  readonly #retries = new Heap<{ readonly at: number; readonly entry: Entry }>((a, b) => a.at < b.at);
  /** Delayed messages that are due and could not leave yet: they do so together, in their order. */
  readonly #held = new Heap<Entry>(isEarlier);
  #heldUntil = Number.NEGATIVE_INFINITY;
  /** What lies behind this place may be in the store only. */
  #after: TimerPlace | null = null;
  #complete = false;
  #reading = false;
  /** Names that changed while a page was on its way, which shows them as they were. */
  readonly #changed = new Map<string, TimerRow | null>();
  /** Something was put back while a page was on its way: that page does not join on any more. */
  #pageIsVoid = false;
  #effects: TimersEffect[] = [];

  constructor(options: TimersOptions) {
    this.#options = options;
  }

  /** Whether all that the store has is in memory. */
  get complete(): boolean {
    return this.#complete;
  }

  get lengthInMemory(): number {
    return this.#byName.size;
  }

  /** When to say `time`; null: not before something else happens. */
  get nextAt(): number | null {
    const due = this.#mayFire ? (this.#waiting[0]?.row.dueAt ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY;
    const held = this.#held.length > 0 ? this.#heldUntil : Number.POSITIVE_INFINITY;
    const again = Math.min(held, this.#retries.first?.at ?? Number.POSITIVE_INFINITY);
    const next = Math.min(due, this.#firing < this.#options.firingsMax ? again : Number.POSITIVE_INFINITY);
    return next === Number.POSITIVE_INFINITY ? null : next;
  }

  /** Whether that timer is set, as far as that is durable. */
  isSet(key: string, name: string, generation: number): boolean {
    return this.#byName.get(nameOf(key, name))?.row.generation === generation;
  }

  step(input: TimersInput): readonly TimersEffect[] {
    this.#effects = [];
    switch (input.kind) {
      case "claimed":
        break;
      case "set":
        this.#change(input.row.key, input.row.name, input.row);
        break;
      case "cleared":
        this.#change(input.key, input.name, null);
        break;
      case "page":
        this.#page(input.rows, input.next);
        break;
      case "fired":
        this.#fired(input);
        break;
      case "time":
        this.#fire(input.now);
        break;
    }
    this.#shrink();
    this.#readOn();
    return this.#effects;
  }

  #change(key: string, name: string, row: TimerRow | null): void {
    const own = nameOf(key, name);
    if (this.#reading) this.#changed.set(own, row);
    this.#remove(own);
    if (row !== null && this.#covers(row)) this.#insert(row);
  }

  /** Whether rows at that instant belong into memory. One too many does no harm: it is told by its name. */
  #covers({ dueAt }: TimerRow): boolean {
    return this.#complete || (this.#after !== null && dueAt <= this.#after.dueAt);
  }

  #page(rows: readonly TimerRow[], next: TimerPlace | null): void {
    invariant(this.#reading, "a page answers a read");
    this.#reading = false;
    if (!this.#pageIsVoid) {
      for (const row of rows) {
        const own = nameOf(row.key, row.name);
        if (!this.#changed.has(own) && !this.#byName.has(own)) this.#insert(row);
      }
      this.#complete = next === null;
      this.#after = next ?? this.#after;
      for (const [own, row] of this.#changed) {
        if (row !== null && !this.#byName.has(own) && this.#covers(row)) this.#insert(row);
      }
    }
    this.#pageIsVoid = false;
    this.#changed.clear();
  }

  #insert(row: TimerRow): void {
    const { attempts } = row;
    const entry: Entry = { row, stage: "waiting", tries: 0, failures: attempts, last: null, counted: attempts };
    this.#byName.set(nameOf(row.key, row.name), entry);
    const index = this.#waiting.findLastIndex((other) => other.row.dueAt <= row.dueAt) + 1;
    this.#waiting.splice(index, 0, entry);
    this.#inputLength += inputLengthOf(row);
  }

  #remove(own: string): void {
    const entry = this.#byName.get(own);
    if (entry === undefined) return;
    this.#byName.delete(own);
    if (entry.stage === "waiting") this.#takeOut(this.#waiting.indexOf(entry));
    else this.#overdue -= 1;
    if (entry.stage !== "firing") entry.stage = "over";
  }

  #takeOut(index: number): Entry {
    const [entry] = this.#waiting.splice(index, 1);
    invariant(entry !== undefined, "a waiting timer stands in the list");
    this.#inputLength -= inputLengthOf(entry.row);
    return entry;
  }

  get #mayFire(): boolean {
    return this.#firing < this.#options.firingsMax && this.#overdue < this.#options.overdueMax;
  }

  #fire(now: number): void {
    for (let first = this.#retries.first; first !== undefined && first.at <= now; first = this.#retries.first) {
      if (this.#firing >= this.#options.firingsMax) break;
      const { entry } = this.#retries.take()!;
      if (entry.stage !== "backoff") continue;
      this.#start(entry, now);
    }
    while (this.#held.length > 0 && this.#heldUntil <= now && this.#firing < this.#options.firingsMax) {
      const entry = this.#held.take()!;
      if (entry.stage === "backoff") this.#start(entry, now);
    }
    while (this.#mayFire && this.#waiting[0] !== undefined && this.#waiting[0].row.dueAt <= now) {
      this.#overdue += 1;
      const entry = this.#takeOut(0);
      if (entry.row.service !== null && now < this.#heldUntil) this.#hold(entry, now);
      else this.#start(entry, now);
    }
  }

  /** An outbox is full, or the store cannot write, for all messages of the shard: none of them leaves before that instant. */
  #hold(entry: Entry, until: number): void {
    entry.stage = "backoff";
    this.#held.add(entry);
    this.#heldUntil = Math.max(this.#heldUntil, until);
  }

  #start(entry: Entry, now: number): void {
    if (entry.failures >= this.#options.attemptsMax) return this.#exhausted(entry, now);
    entry.stage = "firing";
    this.#firing += 1;
    const count = this.#countFor(entry);
    if (count !== null) entry.counted = count;
    this.#effects.push({ kind: "fire", row: entry.row, count });
  }

  /** Null when nothing is to be written: the next owner counts before his try, and no code of ours runs for a message. */
  #countFor({ row, failures, counted }: Entry): number | null {
    if (row.service !== null || (failures === 0 && row.generation >= this.#options.ownFrom)) return null;
    return counted === failures + 1 ? null : failures + 1;
  }

  #fired({ key, name, generation, now, outcome, chance }: Extract<TimersInput, { kind: "fired" }>): void {
    this.#firing -= 1;
    const entry = this.#byName.get(nameOf(key, name));
    // It may have been set anew meanwhile, or be gone.
    if (entry?.row.generation !== generation || entry.stage !== "firing") return;
    entry.tries += 1;
    if (typeof outcome === "object") {
      entry.failures += 1;
      entry.last = outcome;
    } else if (entry.counted > entry.failures) {
      // Else every change of owner would cost a timer that cannot run one of its attempts.
      entry.counted = entry.failures;
      this.#effects.push({ kind: "uncount", row: entry.row, attempts: entry.failures });
    }
    entry.stage = "backoff";
    if (entry.failures >= this.#options.attemptsMax) return this.#exhausted(entry, now);
    const { backoffBaseMs, backoffMaxMs } = this.#options;
    const waitMs = Math.min(backoffMaxMs, backoffBaseMs * 2 ** (entry.tries - 1)) * chance;
    if (entry.row.service !== null) return this.#hold(entry, now + waitMs);
    this.#retries.add({ at: now + waitMs, entry });
  }

  /** Parking clears it. Should the store not take that, it is said again after a wait. */
  #exhausted(entry: Entry, now: number): void {
    entry.stage = "backoff";
    this.#effects.push({ kind: "exhausted", row: entry.row, last: entry.last });
    this.#retries.add({ at: now + this.#options.backoffMaxMs, entry });
  }

  /** Puts the latest back: they stand in the store. */
  #shrink(): void {
    const { lengthMax, inputLengthMax } = this.#options;
    while (this.#waiting.length > lengthMax || (this.#inputLength > inputLengthMax && this.#waiting.length > 1)) {
      const { row } = this.#takeOut(this.#waiting.length - 1);
      this.#byName.delete(nameOf(row.key, row.name));
      this.#complete = false;
      // No name is empty, so every row of that instant lies behind.
      this.#after = { dueAt: row.dueAt, key: "", name: "" };
      if (this.#reading) this.#pageIsVoid = true;
    }
  }

  #readOn(): void {
    const { lengthMax, inputLengthMax, pageLengthMax, overdueMax } = this.#options;
    if (this.#complete || this.#reading || this.#overdue >= overdueMax) return;
    // Not before much has gone, or what was put back would be fetched at once.
    if (this.#waiting.length > lengthMax / 4 || this.#inputLength > inputLengthMax / 4) return;
    this.#reading = true;
    this.#effects.push({ kind: "read", after: this.#after, limit: pageLengthMax });
  }
}

function isEarlier({ row: a }: Entry, { row: b }: Entry): boolean {
  return a.dueAt === b.dueAt ? a.generation < b.generation : a.dueAt < b.dueAt;
}

function nameOf(key: string, name: string): string {
  // No key has a NUL in it.
  return `${key}\0${name}`;
}

function inputLengthOf({ input }: TimerRow): number {
  return input?.length ?? 0;
}
