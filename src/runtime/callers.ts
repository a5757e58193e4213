/** Who waits for an entity's answers: each until it is answered, its deadline passes, or it goes. */
import { SmallMap } from "../values/small-map.ts";
import type { Deadlines, Due } from "./deadlines.ts";
import type { Attempt, Invocation } from "./invocation.ts";
import type { MailboxDriver } from "./mailbox-driver.ts";

interface Caller extends Due {
  readonly invocation: Invocation;
  readonly settle: (attempt: Attempt) => void;
}

export class Callers {
  readonly #deadlines: Deadlines;
  readonly #driver: MailboxDriver;
  readonly #callers = new SmallMap<number, Caller>();

  /** `driver` hears of callers whose deadline has passed, or who have gone: they still wait for the word of its mailbox. */
  constructor(deadlines: Deadlines, driver: MailboxDriver) {
    this.#deadlines = deadlines;
    this.#driver = driver;
  }

  get length(): number {
    return this.#callers.size;
  }

  add(token: number, invocation: Invocation, settle: (attempt: Attempt) => void): void {
    const { deadline, signal } = invocation;
    const passed = (): void => {
      if (this.#callers.has(token)) this.#driver.drive({ kind: "expire", token });
    };
    const caller: Caller = { invocation, settle, deadline, passed };
    this.#callers.set(token, caller);
    this.#deadlines.add(caller);
    signal?.addEventListener("abort", passed);
  }

  invocation(token: number): Invocation | undefined {
    return this.#callers.get(token)?.invocation;
  }

  settle(token: number, attempt: Attempt): void {
    const caller = this.#callers.get(token);
    if (caller === undefined) return;
    this.#callers.delete(token);
    this.#deadlines.remove(caller);
    caller.invocation.signal?.removeEventListener("abort", caller.passed);
    caller.settle(attempt);
  }
}
