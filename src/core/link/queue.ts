/**
 * The calls that wait at the caller's side: first by priority, then in the order in which they came. A call
 * that is taken back stays where it is, marked, until its lane is swept, so that taking one back costs nothing.
 */
import { rankMax } from "../../values/priority.ts";

/** Priorities from 0 (first) to this; those of calls are ranks (`values/priority.ts`). */
const priorityMax: number = rankMax;
/** Places of a lane that may be unused, besides as many as are in use. */
const placesUnusedMax = 64;

export interface QueuedCall {
  readonly bytes: number;
  readonly priority: number;
  /** False once it was taken out. */
  waiting: boolean;
}

interface Lane<E> {
  items: E[];
  /** Everything before it was taken out. */
  head: number;
  waiting: number;
}

export class CallQueue<E extends QueuedCall> {
  readonly #lanes: readonly Lane<E>[] = Array.from({ length: priorityMax + 1 }, () => ({
    items: [],
    head: 0,
    waiting: 0,
  }));
  #length = 0;
  #bytes = 0;

  get length(): number {
    return this.#length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(item: E): void {
    const lane = this.#laneOf(item);
    lane.items.push(item);
    lane.waiting++;
    this.#length++;
    this.#bytes += item.bytes;
  }

  /** The one that goes next, left in its place. */
  peek(): E | undefined {
    const lane = this.#lanes.find(({ waiting }) => waiting > 0);
    if (lane === undefined) return undefined;
    while (!lane.items[lane.head]!.waiting) lane.head++;
    return lane.items[lane.head]!;
  }

  /** Takes an item out: the next one, or one that nobody waits for any more. */
  remove(item: E): void {
    if (!item.waiting) return;
    item.waiting = false;
    const lane = this.#laneOf(item);
    lane.waiting--;
    this.#length--;
    this.#bytes -= item.bytes;
    if (lane.items.length <= 2 * lane.waiting + placesUnusedMax) return;
    lane.items = lane.items.filter(({ waiting }) => waiting);
    lane.head = 0;
  }

  #laneOf(item: E): Lane<E> {
    return this.#lanes[Math.min(item.priority, priorityMax)]!;
  }
}
