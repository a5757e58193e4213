/**
 * Key uptime: for how long keys were up and down, as those who called them saw it. After "Meaningful Availability" (Hauer,
 * Hoffmann, Lunney, Ardelean, Diwan; NSDI 2020), with keys for users: from a good answer until the next answer a key counts
 * as up, from a bad one as down, and after a while without calls as neither. So a key that is down for a minute counts
 * alike, whether it is asked once or a thousand times meanwhile.
 */
import { Fifo } from "../values/fifo.ts";

/** Keys that are followed at a time; those that were seen first make room, and start anew. */
const keysMax = 5_000;
/** A key that was not asked for so long is not in use: the time in between is not counted, ms. */
const inactiveMs = 60_000;

interface Seen {
  at: number;
  good: boolean;
}

export interface KeyUptimeFigures {
  /** Sums over all keys that were followed, ms. */
  readonly upMs: number;
  readonly downMs: number;
}

export class KeyUptime {
  readonly #seen = new Map<string, Seen>();
  readonly #order = new Fifo<string>();
  #upMs = 0;
  #downMs = 0;

  /** A call of the key was answered; `now` in ms, on a clock that never goes back. */
  answered(service: string, key: string, good: boolean, now: number): void {
    const name = `${service}/${key}`;
    const before = this.#seen.get(name);
    if (before === undefined) {
      if (this.#seen.size >= keysMax) this.#seen.delete(this.#order.take()!);
      this.#seen.set(name, { at: now, good });
      this.#order.add(name);
      return;
    }
    const elapsed = now - before.at;
    if (elapsed <= inactiveMs) {
      if (before.good) this.#upMs += elapsed;
      else this.#downMs += elapsed;
    }
    [before.at, before.good] = [now, good];
  }

  read(): KeyUptimeFigures {
    return { upMs: this.#upMs, downMs: this.#downMs };
  }
}
