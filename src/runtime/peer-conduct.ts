/** How other nodes have behaved lately: what may be repeated to each, and which of its services answer. */
import { Breaker, type BreakerState } from "../core/load/breaker.ts";
import { RepeatBudget } from "../core/load/repeat-budget.ts";
import type { Clock } from "../ports/clock.ts";

/** What is known of one other node. */
interface Conduct {
  readonly budget: RepeatBudget;
  /** By service. */
  readonly breakers: Map<string, Breaker>;
}

/** A call that may be sent; what comes of it is told to both. */
export interface Passage {
  readonly breaker: Breaker;
  readonly budget: RepeatBudget;
}

export class PeerConduct {
  readonly #clock: Clock;
  /** By incarnation. */
  readonly #peers = new Map<number, Conduct>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether something that was lost on the way may be sent again to that node. */
  mayRepeat(incarnation: number): boolean {
    return this.#of(incarnation).budget.take(this.#clock.monotonic());
  }

  /** Whether calls of this service are answered there, as far as is known, or one should find out. */
  mayTry(incarnation: number, service: string): boolean {
    const breaker = this.#peers.get(incarnation)?.breakers.get(service);
    return breaker === undefined || breaker.state === "closed" || breaker.mayTry(this.#clock.monotonic());
  }

  /** Undefined when nothing may be sent there now. */
  passage(incarnation: number, service: string): Passage | undefined {
    const { budget, breakers } = this.#of(incarnation);
    let breaker = breakers.get(service);
    if (breaker === undefined) {
      breaker = new Breaker();
      breakers.set(service, breaker);
    }
    if (breaker.state !== "closed" && !breaker.allows(this.#clock.monotonic())) return undefined;
    return { breaker, budget };
  }

  /** Breakers of one node that are not closed, by service. */
  breakersOf(incarnation: number): Readonly<Record<string, BreakerState>> {
    const breakers = [...(this.#peers.get(incarnation)?.breakers ?? [])];
    const states = breakers.map(([name, { state }]) => [name, state] as const);
    return Object.fromEntries(states.filter(([, state]) => state !== "closed"));
  }

  /** Who is no member any more is forgotten. */
  keep(incarnations: ReadonlySet<number>): void {
    for (const known of this.#peers.keys()) if (!incarnations.has(known)) this.#peers.delete(known);
  }

  #of(incarnation: number): Conduct {
    let conduct = this.#peers.get(incarnation);
    if (conduct === undefined) {
      conduct = { budget: new RepeatBudget(this.#clock.monotonic()), breakers: new Map() };
      this.#peers.set(incarnation, conduct);
    }
    return conduct;
  }
}
