/**
 * What is going to happen, in the order in which it will: by instant, and where two things fall on one instant, by
 * a number that was drawn when they were scheduled. So a seed decides every tie, and no two runs of it differ.
 *
 * A cancelled event stays in the queue until its turn comes, and then does nothing.
 */
import { Heap } from "../../values/heap.ts";

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
  readonly #heap = new Heap<ScheduledEvent>(isBefore);

  get length(): number {
    return this.#heap.length;
  }

  get next(): ScheduledEvent | undefined {
    return this.#heap.first;
  }

  add(event: ScheduledEvent): void {
    this.#heap.add(event);
  }

  /** Takes the next event out. */
  take(): ScheduledEvent | undefined {
    return this.#heap.take();
  }
}

function isBefore(a: ScheduledEvent, b: ScheduledEvent): boolean {
  if (a.at !== b.at) return a.at < b.at;
  return a.tie !== b.tie ? a.tie < b.tie : a.number < b.number;
}
