/**
 * The receiver's side of sessions, for one shard: which calls are settled, so that their records may be
 * removed and the calls themselves must never be executed again.
 */
import type { Floor } from "./caller.ts";

interface Known {
  floor: number;
  open: ReadonlySet<number>;
}

export class SessionFloors {
  readonly #sessions = new Map<string, Known>();

  /** The sessions that have a floor here. */
  get sessions(): readonly string[] {
    return [...this.#sessions.keys()];
  }

  /** Whether the caller has promised never to repeat this call: it is refused, never executed. */
  isSettled(session: string, number: number): boolean {
    const known = this.#sessions.get(session);
    return known !== undefined && number < known.floor && !known.open.has(number);
  }

  /**
   * Takes over what came with a call. A promise is never taken back: a floor that arrives late, behind a
   * newer one, changes nothing. Returns the floor to be made durable, or null when nothing is new.
   */
  raise(session: string, { floor, open }: Floor): Floor | null {
    const known = this.#sessions.get(session);
    if (known !== undefined && floor < known.floor) return null;
    const still = open.filter((number) => known === undefined || number >= known.floor || known.open.has(number));
    if (known !== undefined && floor === known.floor && still.length === known.open.size) return null;
    this.#sessions.set(session, { floor, open: new Set(still) });
    return { floor, open: still };
  }

  /** The session's caller is gone for good, and its calls are refused by its incarnation. */
  forget(session: string): void {
    this.#sessions.delete(session);
  }

  clear(): void {
    this.#sessions.clear();
  }
}
