/**
 * The world: one virtual time, one queue of events, one seed. Everything that happens in a run is an event of this
 * queue; nothing is read from the machine it runs on.
 *
 * Time stands still while code runs. The next event is taken only when the promises that the last one settled have
 * had their say: each event gets a `setImmediate` of its own, and Node empties the queue of microtasks between two of
 * them. No I/O is under way in a run, so these immediates are all that the event loop has to do and their order is the
 * order of the queue. They are set by the hundred, because a turn of the event loop costs more than an event.
 */
import { invariant } from "../../errors.ts";
import { hash32 } from "../../values/hash32.ts";
import { createPrng, type Prng, prngOf } from "../../values/prng.ts";
import { EventQueue, type ScheduledEvent } from "./event-queue.ts";
import { Trace } from "./trace.ts";

/** Before user code can replace it. */
const nextTurn = setImmediate;
/** Events for which one turn of the event loop has room. */
const eventsPerTurn = 256;

export interface WorldOptions {
  readonly seed: number;
  /**
   * Another order of the same things: delays, ties and whatever else chance decides come from other streams, and
   * what is drawn beside the world (weather, faults, limits) stays. 0 is the seed's own.
   */
  readonly timing?: number | undefined;
  /** Whether the lines of the trace are kept, besides their hash. */
  readonly keepTrace?: boolean;
  /** An event threw: code of a node, or of the simulator, has a defect. */
  readonly onThrown: (error: unknown) => void;
}

export class World {
  readonly seed: number;
  readonly trace: Trace;
  /** Events that have happened. */
  events = 0;
  readonly #timing: number;
  readonly #queue = new EventQueue();
  readonly #tieSeed: number;
  readonly #onThrown: (error: unknown) => void;
  #scheduled = 0;
  /** The instant at which something was scheduled last, and how often something was at that instant. */
  #tieUs = 0;
  #tiesHere = 0;
  #held = 0;
  /** Runs that wait until nothing holds the world: several may be under way. */
  readonly #waiting = new Set<() => void>();
  #nowUs = 0;

  constructor({ seed, timing = 0, keepTrace = false, onThrown }: WorldOptions) {
    this.seed = seed;
    this.#timing = timing;
    this.#tieSeed = this.prng("ties").uint32();
    this.#onThrown = onThrown;
    this.trace = new Trace(() => this.#nowUs, keepTrace);
  }

  /** Milliseconds since the world began. */
  get now(): number {
    return this.#nowUs / 1_000;
  }

  /** Whole microseconds since the world began: what events are ordered by. */
  get nowUs(): number {
    return this.#nowUs;
  }

  get pendingEvents(): number {
    return this.#queue.length;
  }

  /** A stream of chance of its own: what one purpose draws moves nothing for another. */
  prng(purpose: string): Prng {
    const timing = this.#timing === 0 ? "" : `timing ${this.#timing}/`;
    return createPrng(hash32(`${this.seed}/${timing}${purpose}`));
  }

  /**
   * A stream of chance that begins anew at every instant: what is drawn depends on the purpose, on when it is drawn and
   * on how often in that microsecond, and not on what was drawn before. So something more or less earlier in a run
   * leaves what has nothing to do with it as it was. MurmurHash3 (32 bit) of these three.
   */
  momentaryPrng(purpose: string): Prng {
    const seed = this.prng(purpose).uint32();
    let [atUs, count] = [0, 0];
    return prngOf(() => {
      if (atUs !== this.#nowUs) [atUs, count] = [this.#nowUs, 0];
      return finished(mixed(mixed(seed, atUs), count++));
    });
  }

  /** Calls `run` after `delayMs`, and never inside the event that is happening now. */
  after(delayMs: number, run: () => void): ScheduledEvent {
    return this.at(this.#nowUs + Math.max(0, Math.ceil(delayMs * 1_000)), run);
  }

  /** The same at an instant in microseconds, which has not passed. */
  at(atUs: number, run: () => void): ScheduledEvent {
    // It would be before and after everything, and time would be none from there on.
    invariant(!Number.isNaN(atUs), "an event of the world happens at an instant");
    const at = Math.max(this.#nowUs, atUs);
    const event = { at, tie: this.#tieAt(at), number: this.#scheduled++, run };
    this.#queue.add(event);
    return event;
  }

  /**
   * Decides between events of one instant. Drawn from when it is scheduled and for when, and not from a stream, so that
   * something more or less elsewhere in a run leaves it as it is. MurmurHash3's way of mixing (32 bit).
   */
  #tieAt(atUs: number): number {
    if (this.#tieUs !== this.#nowUs) {
      this.#tieUs = this.#nowUs;
      this.#tiesHere = 0;
    }
    return finished(mixed(mixed(mixed(this.#tieSeed, this.#nowUs), atUs), this.#tiesHere++));
  }

  cancel(event: ScheduledEvent): void {
    event.run = null;
  }

  /** Nothing happens until this has settled: work of the real machine, of which the world knows only the result. */
  hold(work: Promise<unknown>): void {
    this.#held++;
    const release = (): void => {
      if (--this.#held === 0) nextTurn(() => this.#goOn());
    };
    work.then(release, release);
  }

  /** Lets events happen until `done` says so (asked before each one) or the instant `untilMs` has come. */
  run(untilMs: number, done: () => boolean = () => false): Promise<void> {
    const untilUs = Math.ceil(untilMs * 1_000);
    return new Promise((resolve) => {
      let over = false;
      const step = (): void => {
        if (over || this.#held > 0) return;
        over = done() || !this.#step(untilUs);
        if (over) resolve();
      };
      const turn = (): void => {
        if (over) return;
        if (this.#held > 0) return void this.#waiting.add(turn);
        for (let count = 0; count < eventsPerTurn; count++) nextTurn(step);
        nextTurn(turn);
      };
      turn();
    });
  }

  #goOn(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const turn of waiting) turn();
  }

  /** One event; false when none is due by then, and time has come there. */
  #step(untilUs: number): boolean {
    for (;;) {
      const next = this.#queue.next;
      if (next === undefined || next.at > untilUs) {
        this.#nowUs = Math.max(this.#nowUs, untilUs);
        return false;
      }
      this.#queue.take();
      const { run } = next;
      if (run === null) continue;
      next.run = null;
      this.#nowUs = next.at;
      this.events++;
      try {
        run();
      } catch (error) {
        this.#onThrown(error);
      }
      return true;
    }
  }
}

function mixed(state: number, part: number): number {
  const next = state ^ Math.imul(rotated(Math.imul(part, 0xcc9e2d51), 15), 0x1b873593);
  return (Math.imul(rotated(next, 13), 5) + 0xe6546b64) | 0;
}

function finished(state: number): number {
  let bits = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

function rotated(value: number, count: number): number {
  return (value << count) | (value >>> (32 - count));
}

/** A stream of chance that only the seed decides, whatever the timing. */
export function seedPrng(seed: number, purpose: string): Prng {
  return createPrng(hash32(`${seed}/${purpose}`));
}

/** A number in [min, max), most of them small: what delays look like. */
export function skewed(prng: Prng, min: number, max: number): number {
  return min + (max - min) * prng.number() ** 3;
}

export function between(prng: Prng, min: number, max: number): number {
  return min + (max - min) * prng.number();
}
