/** How other nodes have behaved lately: what may be repeated to each, and which of its services answer. */
import { Breaker, type BreakerState } from "../core/load/breaker.ts";
import { RepeatBudget } from "../core/load/repeat-budget.ts";
import type { Clock } from "../ports/clock.ts";

export class PeerConduct {
  readonly #clock: Clock;
  readonly #budgets = new Map<number, RepeatBudget>();
  /** By incarnation, then by service. */
  readonly #breakers = new Map<number, Map<string, Breaker>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether something that was lost on the way may be sent again to that node. */
  mayRepeat(incarnation: number): boolean {
    return this.#budgetOf(incarnation).take(this.#clock.monotonic());
  }

  /** Whether calls of this service are answered there, as far as is known. */
  answers(incarnation: number, service: string): boolean {
    return this.#breakers.get(incarnation)?.get(service)?.state !== "open";
  }

  /** Whether a call may be sent; if so, its outcome is told to the breaker. */
  breakerFor(incarnation: number, service: string): { readonly breaker: Breaker; readonly open: boolean } {
    let breakers = this.#breakers.get(incarnation);
    if (breakers === undefined) {
      breakers = new Map();
      this.#breakers.set(incarnation, breakers);
    }
    let breaker = breakers.get(service);
    if (breaker === undefined) {
      breaker = new Breaker();
      breakers.set(service, breaker);
    }
    return { breaker, open: breaker.state !== "closed" && !breaker.allows(this.#clock.monotonic()) };
  }

  answered(incarnation: number, breaker: Breaker): void {
    this.#budgetOf(incarnation).answered();
    breaker.answered(this.#clock.monotonic());
  }

  /** Breakers of one node that are not closed, by service. */
  breakersOf(incarnation: number): Readonly<Record<string, BreakerState>> {
    const breakers = [...(this.#breakers.get(incarnation) ?? [])].map(([name, { state }]) => [name, state] as const);
    return Object.fromEntries(breakers.filter(([, state]) => state !== "closed"));
  }

  /** Who is no member any more is forgotten. */
  keep(incarnations: ReadonlySet<number>): void {
    for (const known of this.#budgets.keys()) if (!incarnations.has(known)) this.#budgets.delete(known);
    for (const known of this.#breakers.keys()) if (!incarnations.has(known)) this.#breakers.delete(known);
  }

  #budgetOf(incarnation: number): RepeatBudget {
    let budget = this.#budgets.get(incarnation);
    if (budget === undefined) {
      budget = new RepeatBudget(this.#clock.monotonic());
      this.#budgets.set(incarnation, budget);
    }
    return budget;
  }
}
