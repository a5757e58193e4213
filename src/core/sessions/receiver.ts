/**
 * The receiver's side of sessions, for one shard: which calls are settled, so that their records may be
 * removed and the calls themselves must never be executed again.
 */
import type { Floor } from "./caller.ts";

interface Known {
  floor: number;
  /** Few: to search them takes less than to keep them as a set. */
  open: readonly number[];
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
    return known !== undefined && number < known.floor && !known.open.includes(number);
  }

  /**
   * Takes over what came with a call. A promise is never taken back: a floor that arrives late, behind a
   * newer one, changes nothing. Returns the floor to be made durable, or null when nothing is new.
   */
  raise(session: string, { floor, open }: Floor): Floor | null {
    const known = this.#sessions.get(session);
    if (known !== undefined && floor < known.floor) return null;
    if (known === undefined) {
      this.#sessions.set(session, { floor, open });
      return { floor, open };
    }
    const isStill = (number: number): boolean => number >= known.floor || known.open.includes(number);
    const still = open.every(isStill) ? open : open.filter(isStill);
    if (floor === known.floor && still.length === known.open.length) return null;
    known.floor = floor;
    known.open = still;
    return { floor, open: still };
  }

  /** What the caller of that session has promised so far. */
  of(session: string): Floor | undefined {
    return this.#sessions.get(session);
  }

  /** The session's caller is gone for good, and its calls are refused by its incarnation. */
  forget(session: string): void {
    this.#sessions.delete(session);
  }

  clear(): void {
    this.#sessions.clear();
  }
}
