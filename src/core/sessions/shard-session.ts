/**
 * The session of a shard: numbers for its durable commands and its messages, and the floors that tell receivers
 * which of these will never come again.
 *
 * The cheque book of a firm, where the cashier changes. A new cashier finds the stubs of the former one in two
 * binders (inbox and outbox) and reads them from the front; until a page is read, every number from there on
 * counts as open. A number that was written down and not yet filed in the vault is promised to nobody: had the
 * page burnt, the next cashier would write it again.
 *
 * Numbers are settled when the removal of their row is durable, never before: the next owner would repeat what
 * a receiver has been told to forget. A floor is made for one receiving shard and speaks of what goes there, so
 * that a receiver that is away for days holds up nobody's floor but its own. What is called under a number need not go
 * where the number went: a durable command calls whom it likes, and so does a service without keys that a message made work.
 * Such a number is open for every receiver, and such a call brings along what holds for all of them.
 */
import { invariant } from "../../errors.ts";
import { Heap } from "../../values/heap.ts";
import type { Floor } from "./caller.ts";

/** Where rows with numbers of the session lie. */
export type RowSource = "inbox" | "outbox";

export interface ShardSessionOptions {
  /** The next number, as the store has it. */
  readonly next: number;
  /** Open numbers that a floor names at the most. */
  readonly openLengthMax: number;
}

export class ShardSession {
  readonly #openLengthMax: number;
  #next: number;
  /** Below this the store gives no number out again, whatever is lost from memory. */
  #durableNext: number;
  /** Open numbers, with the receiver that they go to; null: their calls may go anywhere. */
  readonly #open = new Map<number, string | null>();
  readonly #receivers = new Map<string | null, Receiver>();
  /** Up to where the rows of earlier owners are known. */
  readonly #knownThrough: Record<RowSource, number> = { inbox: 0, outbox: 0 };
  /** Settled while their page may still be on its way here, with the row as it was. */
  readonly #settledEarly = new Set<number>();

  constructor({ next, openLengthMax }: ShardSessionOptions) {
    invariant(next >= 1, "numbers of a session start at 1");
    this.#next = next;
    this.#durableNext = next;
    this.#openLengthMax = openLengthMax;
  }

  /** What the store must know before anything under a number of this session leaves. */
  get next(): number {
    return this.#next;
  }

  get openLength(): number {
    return this.#open.size;
  }

  /** The number of a message to that receiving shard; null: of what may call anybody. */
  take(receiver: string | null): number {
    const number = this.#next++;
    this.#add(number, receiver);
    return number;
  }

  /** A number that tells two things of one name apart, and under which nothing is ever called. */
  takeGeneration(): number {
    return this.#next++;
  }

  /** The row with this number is durable, and so is that it was given out. */
  durable(number: number): void {
    this.#durableNext = Math.max(this.#durableNext, number + 1);
  }

  /** A row of an earlier owner. The same row may be found twice, and after it was settled. */
  found(number: number, receiver: string | null): void {
    if (!this.#open.has(number) && !this.#settledEarly.has(number)) this.#add(number, receiver);
  }

  /** All rows of that source up to this number have been found; infinity: all there are. */
  foundThrough(source: RowSource, number: number): void {
    this.#knownThrough[source] = Math.max(this.#knownThrough[source], number);
    if (this.#known === Number.POSITIVE_INFINITY) this.#settledEarly.clear();
  }

  /** The removal of its row is durable; or its row never became durable, and nothing has left under it. */
  settle(number: number): void {
    if (this.#known < number) this.#settledEarly.add(number);
    const receiver = this.#open.get(number);
    if (receiver === undefined) return;
    this.#open.delete(number);
    const own = this.#receivers.get(receiver)!;
    own.remove(number, this.#open);
    if (own.empty) this.#receivers.delete(receiver);
  }

  /** What may be promised now to that receiving shard; null: to whichever it comes to. */
  floor(receiver: string | null): Floor {
    if (receiver === null) return this.#floorForAll();
    const end = Math.min(this.#known + 1, this.#durableNext);
    const open: number[] = [];
    const anywhere = this.#receivers.get(null)?.lowest ?? [];
    for (const number of ascending(anywhere, this.#receivers.get(receiver)?.lowest ?? [])) {
      if (number >= end) break;
      if (open.length === this.#openLengthMax) return { floor: number, open };
      open.push(number);
    }
    return { floor: end, open };
  }

  /** Below this nothing is open, for anybody. */
  #floorForAll(): Floor {
    let floor = Math.min(this.#known + 1, this.#durableNext);
    for (const { lowest } of this.#receivers.values()) floor = Math.min(floor, lowest[0]!);
    return { floor, open: [] };
  }

  get #known(): number {
    return Math.min(this.#knownThrough.inbox, this.#knownThrough.outbox);
  }

  #add(number: number, receiver: string | null): void {
    this.#open.set(number, receiver);
    const own = this.#receivers.get(receiver) ?? new Receiver(this.#openLengthMax + 1);
    this.#receivers.set(receiver, own);
    own.add(number);
  }
}

/** The open numbers for one receiver: the lowest at hand in order, the others in a heap. */
class Receiver {
  readonly lowest: number[] = [];
  readonly #lengthMax: number;
  /** May hold numbers that were settled since: they are passed over when they come up, or swept. */
  readonly #rest = new Heap<number>((a, b) => a < b);
  #settledInRest = 0;

  constructor(lengthMax: number) {
    this.#lengthMax = lengthMax;
  }

  get empty(): boolean {
    return this.lowest.length === 0;
  }

  add(number: number): void {
    const { lowest } = this;
    const last = lowest.at(-1);
    if (lowest.length === this.#lengthMax && number > last!) return this.#rest.add(number);
    const index = lowest.findLastIndex((other) => other < number) + 1;
    lowest.splice(index, 0, number);
    if (lowest.length > this.#lengthMax) this.#rest.add(lowest.pop()!);
  }

  remove(number: number, open: ReadonlyMap<number, unknown>): void {
    const index = this.lowest.indexOf(number);
    if (index < 0) {
      this.#settledInRest += 1;
      if (this.#settledInRest * 2 > this.#rest.length) this.#sweep(open);
      return;
    }
    this.lowest.splice(index, 1);
    while (this.lowest.length < this.#lengthMax && this.#rest.length > 0) {
      const next = this.#rest.take()!;
      if (open.has(next)) this.lowest.push(next);
      else this.#settledInRest -= 1;
    }
  }

  #sweep(open: ReadonlyMap<number, unknown>): void {
    this.#rest.keep((number) => open.has(number));
    this.#settledInRest = 0;
  }
}

function* ascending(a: readonly number[], b: readonly number[]): Iterable<number> {
  let fromA = 0;
  let fromB = 0;
  while (fromA < a.length || fromB < b.length) {
    const takeA = fromB === b.length || (fromA < a.length && a[fromA]! < b[fromB]!);
    yield takeA ? a[fromA++]! : b[fromB++]!;
  }
}
