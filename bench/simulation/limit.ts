/** The least program that lets events happen in their order: a heap and a loop, with no promise settled in between. */
import type { Run } from "../bench.ts";
import { processorMicroseconds } from "../processor-time.ts";
import { chainsLength, delayMs } from "./chains.ts";

interface Event {
  readonly at: number;
  readonly run: () => void;
}

class Heap {
  readonly #events: Event[] = [];

  add(event: Event): void {
    const events = this.#events;
    let index = events.length;
    for (let parent = (index - 1) >> 1; index > 0 && event.at < events[parent]!.at; parent = (index - 1) >> 1) {
      events[index] = events[parent]!;
      index = parent;
    }
    events[index] = event;
  }

  take(): Event {
    const events = this.#events;
    const first = events[0]!;
    const last = events.pop()!;
    if (events.length === 0) return first;
    let index = 0;
    for (let child = 1; child < events.length; child = 2 * index + 1) {
      if (child + 1 < events.length && events[child + 1]!.at < events[child]!.at) child++;
      if (last.at <= events[child]!.at) break;
      events[index] = events[child]!;
      index = child;
    }
    events[index] = last;
    return first;
  }
}

/** How many events happen between two looks at the clock. */
const eventsPerLook = 10_000;

export const run: Run = async ({ settleMs, measureMs }) => {
  const heap = new Heap();
  let now = 0;
  let events = 0;
  for (let chain = 0; chain < chainsLength; chain++) {
    let step = chain;
    const next = (): void => heap.add({ at: now + delayMs(step++), run: next });
    next();
  }
  const goOn = (until: number): void => {
    while (performance.now() < until) {
      for (let count = 0; count < eventsPerLook; count++) {
        const event = heap.take();
        now = event.at;
        event.run();
        events++;
      }
    }
  };
  goOn(performance.now() + settleMs);
  const [before, begun] = [events, processorMicroseconds()];
  goOn(performance.now() + measureMs);
  return { value: (events - before) / ((processorMicroseconds() - begun) / 1e6), details: [] };
};
