/** Who waits for an entity's answers: each until it is answered, its deadline passes, or it goes. */
import type { Clock, Timer } from "../ports/clock.ts";
import { SmallMap } from "../values/small-map.ts";
import type { Attempt, Invocation } from "./invocation.ts";
import type { MailboxDriver } from "./mailbox-driver.ts";

interface Caller {
  readonly invocation: Invocation;
  readonly settle: (attempt: Attempt) => void;
  readonly timer: Timer;
  readonly stopListening: () => void;
}

export class Callers {
  readonly #clock: Clock;
  readonly #driver: MailboxDriver;
  readonly #callers = new SmallMap<number, Caller>();

  /** `driver` hears of callers whose deadline has passed, or who have gone: they still wait for the word of its mailbox. */
  constructor(clock: Clock, driver: MailboxDriver) {
    this.#clock = clock;
    this.#driver = driver;
  }

  get length(): number {
    return this.#callers.size;
  }

  add(token: number, invocation: Invocation, settle: (attempt: Attempt) => void): void {
    const { deadline, signal } = invocation;
    const gone = (): void => {
      if (this.#callers.has(token)) this.#driver.drive({ kind: "expire", token });
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
