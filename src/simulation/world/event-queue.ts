/**
 * What is going to happen, in the order in which it will: by instant, and where two things fall on one instant, by
 * a number that was drawn when they were scheduled. So a seed decides every tie, and no two runs of it differ.
 *
 * A binary heap; a cancelled event stays in it until its turn comes, and then does nothing.
 */

export interface ScheduledEvent {
  /** Microseconds since the world began. */
  readonly at: number;
  readonly tie: number;
  /** In the order of scheduling; decides between equal ties. */
  readonly number: number;
  /** Null once it is cancelled or has run. */
  run: (() => void) | null;
}

export class EventQueue {
  readonly #heap: ScheduledEvent[] = [];

  get length(): number {
    return this.#heap.length;
  }

  get next(): ScheduledEvent | undefined {
    return this.#heap[0];
  }

  add(event: ScheduledEvent): void {
    const heap = this.#heap;
    let index = heap.length;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (isBefore(heap[parent]!, event)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = event;
  }

  /** Takes the next event out. */
  take(): ScheduledEvent | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (isBefore(last, heap[child]!)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
    return first;
  }
}

function isBefore(a: ScheduledEvent, b: ScheduledEvent): boolean {
  if (a.at !== b.at) return a.at < b.at;
  return a.tie !== b.tie ? a.tie < b.tie : a.number < b.number;
}
