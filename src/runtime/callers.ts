/** Who waits for an entity's answers: each until it is answered, its deadline passes, or it goes. */
import type { Clock, Timer } from "../ports/clock.ts";
import type { Attempt, Invocation } from "./invocation.ts";

interface Caller {
  readonly invocation: Invocation;
  readonly settle: (attempt: Attempt) => void;
  readonly timer: Timer;
  readonly stopListening: () => void;
}

export class Callers {
  readonly #clock: Clock;
  readonly #onGone: (token: number) => void;
  readonly #callers = new Map<number, Caller>();

  /** `onGone`: this caller's deadline has passed, or it has gone. It still waits for the word of the mailbox. */
  constructor(clock: Clock, onGone: (token: number) => void) {
    this.#clock = clock;
    this.#onGone = onGone;
  }

  get length(): number {
    return this.#callers.size;
  }

  add(token: number, invocation: Invocation, settle: (attempt: Attempt) => void): void {
    const { deadline, signal } = invocation;
    const gone = (): void => {
      if (this.#callers.has(token)) this.#onGone(token);
    };
    const timer = this.#clock.setTimer(Math.max(0, deadline - this.#clock.monotonic()), gone);
    signal?.addEventListener("abort", gone);
    const stopListening = (): void => signal?.removeEventListener("abort", gone);
    this.#callers.set(token, { invocation, settle, timer, stopListening });
  }

  invocation(token: number): Invocation | undefined {
    return this.#callers.get(token)?.invocation;
  }

  settle(token: number, attempt: Attempt): void {
    const caller = this.#callers.get(token);
    if (caller === undefined) return;
    this.#callers.delete(token);
    caller.timer.cancel();
    caller.stopListening();
    caller.settle(attempt);
  }
}
