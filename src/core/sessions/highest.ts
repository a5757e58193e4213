/**
 * Which calls of a session cannot have a record in a shard: those with a higher number than any that can have been
 * recorded there. They need not be looked for in the store.
 *
 * A cloakroom that gives out its numbers in order. Whoever takes over the counter asks once which number hangs farthest
 * back, and from then on watches what comes in: a coat with a higher number than all of these has never hung here.
 *
 * Only the owner's own epoch counts: whatever earlier owners recorded was in the store before the shard was claimed, so
 * the store is asked after that, once for each session; nobody else can have recorded anything since. Until it has
 * answered, and for every number that is not above all others, the answer is "may be".
 */
interface Known {
  highest: number;
  /** What the store says of the time before this epoch: not asked, being asked, or part of `highest`. */
  before: "unknown" | "asked" | "known";
}

export class HighestNumbers {
  readonly #sessions = new Map<string, Known>();

  /** A call has come; says whether it may have a record. */
  arrived(session: string, number: number): boolean {
    const known = this.#of(session);
    const isAbove = known.before === "known" && number > known.highest;
    known.highest = Math.max(known.highest, number);
    return !isAbove;
  }

  /** A record of that number is on its way into the store. */
  recorded(session: string, number: number): void {
    const known = this.#of(session);
    known.highest = Math.max(known.highest, number);
  }

  /** Whether the store is to be asked for this session now: yes, once. */
  ask(session: string): boolean {
    const known = this.#of(session);
    if (known.before !== "unknown") return false;
    known.before = "asked";
    return true;
  }

  /** The highest number of the session that the store has a record of (0: none); null when it could not say. */
  answered(session: string, number: number | null): void {
    const known = this.#of(session);
    known.before = number === null ? "unknown" : "known";
    known.highest = Math.max(known.highest, number ?? 0);
  }

  /** Calls of this session are refused from now on. */
  forget(session: string): void {
    this.#sessions.delete(session);
  }

  clear(): void {
    this.#sessions.clear();
  }

  #of(session: string): Known {
    let known = this.#sessions.get(session);
    if (known === undefined) {
      known = { highest: 0, before: "unknown" };
      this.#sessions.set(session, known);
    }
    return known;
  }
}
