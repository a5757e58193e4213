/**
 * The outbox of one shard: which message is delivered next, which one waits, and which one nobody will get.
 *
 * A post office with one postman for each pair of sender and receiver. He carries one letter at a time, in the order
 * in which they were handed in, and comes back for the next when he has a receipt. Where nobody opens he tries again
 * later, and later still; the other postmen do not wait for him. A letter that makes the house collapse each time is
 * put aside in the end, with a note why, and he goes on with the next.
 *
 * It knows numbers and pairs, and no texts. It never delivers, writes or looks at a clock: it returns effects, which
 * the driver performs in their order. What "durable" is said of was committed by the owner of the shard.
 */
import { invariant } from "../../errors.ts";
import { Fifo } from "../../values/fifo.ts";
import { Heap } from "../../values/heap.ts";

/** A message as the outbox knows it. */
export interface Letter {
  readonly number: number;
  /** Sender, and receiving service and key: within one pair the order is kept. */
  readonly pair: string;
  /** As its row has it. */
  readonly attempts: number;
}

export type OutboxInput =
  /** Sent under this owner, and durable now. */
  | { kind: "sent"; letter: Letter }
  /** Rows of earlier owners, in ascending order, page after page. `parked`: nobody delivers them. */
  | { kind: "found"; letters: readonly Letter[]; parked: readonly number[]; last: boolean }
  /** How an attempt ended. `chance` is a number in [0, 1) for the wait before the next. */
  | { kind: "answered"; number: number; now: number; answer: DeliveryAnswer; chance: number }
  /** The attempts of an effect `count` are durable. */
  | { kind: "counted"; number: number }
  /** It is durable that the message is parked. */
  | { kind: "parked"; number: number }
  /** The removal of its row is durable. */
  | { kind: "settled"; number: number }
  /** An operator: deliver it after all, with new attempts; it is not parked in the store any more. */
  | { kind: "retry"; letter: Letter }
  /** An operator: do not deliver it any more. What is under way may still arrive. */
  | { kind: "drop"; number: number }
  | { kind: "time"; now: number };

export type DeliveryAnswer =
  | { readonly kind: "delivered" }
  /** The receiver could not take it now, and nothing speaks against the message. */
  | { readonly kind: "waits"; readonly retryAfterMs: number }
  /** The receiver failed on it, or went away over it. */
  | { readonly kind: "failed"; readonly reason: Reason };

export interface Reason {
  readonly code: string;
  readonly message: string;
  /** What a handler threw, for operators. */
  readonly thrown?: string;
}

export type OutboxEffect =
  /** Send it, then say `answered`. Before that, its row says so many attempts. `prompt`: it has not waited yet. */
  | { kind: "deliver"; number: number; attempt: number; prompt: boolean }
  /** Write this count. `waits`: nothing leaves before it is durable, so say `counted` then. */
  | { kind: "count"; number: number; attempts: number; waits: boolean }
  /** Write that it is parked, then say `parked`: until that is durable nothing of its pair leaves. */
  | { kind: "park"; number: number; attempts: number; reason: Reason }
  /** Remove its row, at leisure; then say `settled`. */
  | { kind: "settle"; number: number };

export interface OutboxOptions {
  /** Numbers from here on are given out by this owner: `sent` tells of them, whether or not a page shows them too. */
  readonly ownFrom: number;
  readonly deliveriesMax: number;
  readonly attemptsMax: number;
  readonly backoffBaseMs: number;
  readonly backoffMaxMs: number;
}

interface Entry {
  readonly number: number;
  readonly pair: Pair;
  /** Attempts that ended badly, or may have. */
  spent: number;
  /** What its row says. */
  counted: number;
  /** Sent under this owner: its first attempt needs no count, because the next owner counts before his. */
  readonly fresh: boolean;
  /** An operator wants it gone while something of it is under way. */
  dropped: boolean;
}

interface Pair {
  readonly name: string;
  readonly waiting: Heap<number>;
  /** The message that has been taken out of `waiting`: counting, under way, in backoff or about to be parked. */
  head: Entry | null;
  stage: "ready" | "counting" | "underWay" | "backoff" | "parking";
  /** Tries in a row that did not deliver; the wait grows with it. */
  failures: number;
}

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #entries = new Map<number, Entry>();
  readonly #pairs = new Map<string, Pair>();
  readonly #parked = new Set<number>();
  /** Rows whose removal is on its way. */
  readonly #settling = new Set<number>();
  /** Messages of this owner, until all earlier ones are known: one of these may be of the same pair. */
  #held: Letter[] | null = [];
  /** Pairs whose next message may leave: those that had no trouble, and those that had. */
  readonly #ready = new Fifo<Pair>();
  readonly #retries = new Fifo<Pair>();
  readonly #backoffs = new Heap<{ readonly at: number; readonly pair: Pair; readonly number: number }>(
    (a, b) => a.at < b.at,
  );
  #underWay = 0;
  #retriesUnderWay = 0;
  #effects: OutboxEffect[] = [];

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Rows in the store, as far as they are known. */
  get length(): number {
    return this.#entries.size + this.#parked.size + this.#settling.size + (this.#held?.length ?? 0);
  }

  /** Whether the rows of all earlier owners are known. */
  get complete(): boolean {
    return this.#held === null;
  }

  /** Whether there is such a message, waiting or parked. */
  has(number: number): boolean {
    return this.#entries.has(number) || this.#parked.has(number);
  }

  /** Messages that are neither delivered nor parked. */
  get pending(): number {
    return this.#entries.size + (this.#held?.length ?? 0);
  }

  /** When to say `time` at the latest; null: not before something else happens. */
  get nextAt(): number | null {
    return this.#backoffs.first?.at ?? null;
  }

  step(input: OutboxInput): readonly OutboxEffect[] {
    this.#effects = [];
    switch (input.kind) {
      case "sent":
        if (this.#held === null) this.#enter(input.letter, true);
        else this.#held.push(input.letter);
        break;
      case "found":
        this.#found(input.letters, input.parked, input.last);
        break;
      case "answered":
        this.#answered(input.number, input.now, input.answer, input.chance);
        break;
      case "counted":
        this.#counted(input.number);
        break;
      case "parked":
        this.#becameParked(input.number);
        break;
      case "settled":
        this.#settling.delete(input.number);
        this.#parked.delete(input.number);
        break;
      case "retry":
        this.#parked.delete(input.letter.number);
        if (!this.#entries.has(input.letter.number)) this.#enter(input.letter, false);
        break;
      case "drop":
        this.#drop(input.number);
        break;
      case "time":
        this.#awake(input.now);
        break;
    }
    this.#dispatch();
    return this.#effects;
  }

  #found(letters: readonly Letter[], parked: readonly number[], last: boolean): void {
    for (const number of parked) this.#parked.add(number);
    // A page that came late has rows that this owner has written since.
    for (const letter of letters) if (letter.number < this.#options.ownFrom) this.#enter(letter, false);
    if (!last || this.#held === null) return;
    const held = this.#held;
    this.#held = null;
    for (const letter of held) this.#enter(letter, true);
  }

  #enter({ number, pair: name, attempts }: Letter, fresh: boolean): void {
    const pair = this.#pairs.get(name) ?? newPair(name);
    this.#pairs.set(name, pair);
    this.#entries.set(number, { number, pair, spent: attempts, counted: attempts, fresh, dropped: false });
    pair.waiting.add(number);
    if (pair.head === null) this.#next(pair);
  }

  /** The pair's earliest message is the one to be delivered now. */
  #next(pair: Pair): void {
    pair.failures = 0;
    pair.head = null;
    while (pair.head === null && pair.waiting.length > 0) {
      // What an operator dropped is not there any more.
      pair.head = this.#entries.get(pair.waiting.take()!) ?? null;
    }
    if (pair.head === null) return void this.#pairs.delete(pair.name);
    pair.stage = "ready";
    this.#ready.add(pair);
  }

  /** The message, if it is the one that its pair is busy with, in that stage. */
  #headOf(number: number, stage: Pair["stage"]): Entry | null {
    const entry = this.#entries.get(number);
    return entry !== undefined && entry.pair.head === entry && entry.pair.stage === stage ? entry : null;
  }

  #dispatch(): void {
    const { deliveriesMax } = this.#options;
    // Pairs in trouble hold a place for long, so that half of the places are not for them.
    while (this.#retries.length > 0 && this.#underWay < deliveriesMax && this.#retriesUnderWay < deliveriesMax / 2) {
      this.#begin(this.#retries.take()!);
    }
    while (this.#ready.length > 0 && this.#underWay < deliveriesMax) this.#begin(this.#ready.take()!);
  }

  #begin(pair: Pair): void {
    const entry = pair.head;
    invariant(entry !== null && pair.stage === "ready", "only a pair with a message to deliver is ready");
    if (entry.spent >= this.#options.attemptsMax) {
      // The last one was counted, and its owner did not live to say how it ended.
      const reason = { code: "unavailable", message: "its sender's node went away during the last attempt" };
      return this.#park(entry, reason);
    }
    this.#underWay += 1;
    if (pair.failures > 0) this.#retriesUnderWay += 1;
    const attempts = entry.spent + 1;
    if ((entry.fresh && entry.spent === 0) || entry.counted === attempts) return this.#deliver(entry);
    pair.stage = "counting";
    entry.counted = attempts;
    this.#effects.push({ kind: "count", number: entry.number, attempts, waits: true });
  }

  #deliver(entry: Entry): void {
    entry.pair.stage = "underWay";
    const prompt = entry.fresh && entry.pair.failures === 0;
    this.#effects.push({ kind: "deliver", number: entry.number, attempt: entry.spent + 1, prompt });
  }

  #counted(number: number): void {
    const entry = this.#headOf(number, "counting");
    if (entry !== null) this.#deliver(entry);
  }

  #answered(number: number, now: number, answer: DeliveryAnswer, chance: number): void {
    const entry = this.#headOf(number, "underWay");
    invariant(entry !== null, "an answer belongs to a delivery");
    const { pair } = entry;
    this.#underWay -= 1;
    if (pair.failures > 0) this.#retriesUnderWay -= 1;
    if (answer.kind === "delivered" || entry.dropped) {
      this.#settle(number);
      return this.#next(pair);
    }
    pair.failures += 1;
    if (answer.kind === "failed") {
      entry.spent += 1;
      if (entry.spent >= this.#options.attemptsMax) return this.#park(entry, answer.reason);
    } else if (entry.counted > entry.spent) {
      // It was counted in advance, and not spent: else every change of owner would cost a waiting message one.
      entry.counted = entry.spent;
      this.#effects.push({ kind: "count", number, attempts: entry.spent, waits: false });
    }
    pair.stage = "backoff";
    const retryAfterMs = answer.kind === "waits" ? answer.retryAfterMs : 0;
    this.#backoffs.add({ at: now + this.#waitMs(pair, chance, retryAfterMs), pair, number });
  }

  /** Exponential with full jitter, at the least what the receiver asked for. */
  #waitMs({ failures }: Pair, chance: number, retryAfterMs: number): number {
    const { backoffBaseMs, backoffMaxMs } = this.#options;
    const most = Math.min(backoffMaxMs, backoffBaseMs * 2 ** (failures - 1));
    return Math.min(backoffMaxMs, Math.max(retryAfterMs, most * chance));
  }

  #park(entry: Entry, reason: Reason): void {
    entry.pair.stage = "parking";
    this.#effects.push({ kind: "park", number: entry.number, attempts: entry.spent, reason });
  }

  #becameParked(number: number): void {
    const entry = this.#headOf(number, "parking");
    if (entry === null) return;
    this.#entries.delete(number);
    this.#parked.add(number);
    if (entry.dropped) this.#settle(number);
    this.#next(entry.pair);
  }

  #settle(number: number): void {
    this.#entries.delete(number);
    this.#parked.delete(number);
    this.#settling.add(number);
    this.#effects.push({ kind: "settle", number });
  }

  #drop(number: number): void {
    const entry = this.#entries.get(number);
    if (entry === undefined) {
      if (this.#parked.has(number)) this.#settle(number);
      return;
    }
    const { pair } = entry;
    if (pair.head !== entry) return this.#settle(number);
    if (pair.stage !== "ready" && pair.stage !== "backoff") {
      entry.dropped = true;
      return;
    }
    this.#ready.remove(pair);
    this.#retries.remove(pair);
    this.#settle(number);
    this.#next(pair);
  }

  #awake(now: number): void {
    for (let first = this.#backoffs.first; first !== undefined && first.at <= now; first = this.#backoffs.first) {
      this.#backoffs.take();
      const { pair, number } = first;
      if (pair.stage !== "backoff" || pair.head?.number !== number) continue;
      pair.stage = "ready";
      this.#retries.add(pair);
    }
  }
}

function newPair(name: string): Pair {
  return { name, waiting: new Heap<number>((a, b) => a < b), head: null, stage: "ready", failures: 0 };
}
