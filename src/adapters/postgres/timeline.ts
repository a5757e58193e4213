/**
 * The newest timeline that a store has seen any of its servers on, for all of its connections (rule S5).
 *
 * Think of editions of a book: a server that is promoted begins the next one, and whoever holds an older edition may not
 * know that there is a newer. From the moment in which one connection has met the newer one, no other connection of the
 * store believes the older one: what it answers is thrown away, what it would write is not written, and it hangs up.
 *
 * It knows only what the connections met. A server that nobody asks is found by the lookouts (`lookout.ts`).
 */
import type { Log } from "../../ports/log.ts";

/**
 * The timeline of the server that runs it, as eight hexadecimal digits, which sort like the numbers. A standby has no answer
 * to that: the statement fails there.
 */
export const timelineNow = "left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)";

export class Timeline {
  readonly #name: string;
  readonly #log: Log | undefined;
  readonly #followers = new Set<() => void>();
  #newest = 0;

  /** `name` is that of the store, for people. */
  constructor(name: string, log: Log | undefined) {
    this.#name = name;
    this.#log = log;
  }

  get newest(): number {
    return this.#newest;
  }

  /** In the form of {@link timelineNow}. */
  get newestText(): string {
    return this.#newest.toString(16).toUpperCase().padStart(8, "0");
  }

  /** Whether a server on this timeline may be the newest; from then on the older ones are not. */
  admits(timeline: number): boolean {
    if (timeline < this.#newest) return false;
    if (timeline === this.#newest) return true;
    const former = this.#newest;
    this.#newest = timeline;
    if (former === 0) return true;
    this.#log?.warn(`a server of ${this.#name} was promoted: its timeline is ${timeline}, after ${former}`);
    for (const follower of this.#followers) follower();
    return true;
  }

  /** Calls it whenever a newer one was met. */
  follow(follower: () => void): void {
    this.#followers.add(follower);
  }
}

/** Eight hexadecimal digits as a number; 0 for a server that did not say any. */
export function timelineOf(digits: unknown): number {
  return typeof digits === "string" ? Number.parseInt(digits, 16) : 0;
}
