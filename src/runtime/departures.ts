/** Calls of a running handler that wait at the exit gate of its entity until they may leave. */
import { SmallMap } from "../values/small-map.ts";

export class Departures {
  readonly #waiting = new SmallMap<number, () => void>();
  #last = 0;

  /** Takes a number for a call, hands it to `ask`, and resolves when the call may leave. */
  wait(ask: (departure: number) => void): Promise<void> {
    const departure = ++this.#last;
    return new Promise((resolve) => {
      this.#waiting.set(departure, resolve);
      ask(departure);
    });
  }

  departed(departure: number): void {
    this.#waiting.get(departure)?.();
    this.#waiting.delete(departure);
  }

  /** The handler's context is revoked, as everybody finds out who is woken here. */
  close(): void {
    if (this.#waiting.size === 0) return;
    for (const wake of this.#waiting.values()) wake();
    this.#waiting.clear();
  }
}
