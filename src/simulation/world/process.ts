/**
 * A process on a machine: the one door through which anything reaches the code of a node. While the process is
 * paused, what comes waits in front of the door; when the process is slow, things go through one at a time; when it
 * is dead, nothing does. So a crash needs no help from the code that crashes.
 */
import type { Clock, Timer } from "../../ports/clock.ts";
import type { Random } from "../../ports/random.ts";
import type { Prng } from "../../values/prng.ts";
import type { Build } from "../builds.ts";
import type { ScheduledEvent } from "./event-queue.ts";
import type { MachineClock } from "./machine-clock.ts";
import type { World } from "./world.ts";

/** What a process that was paused finds first: libuv looks at timers before it looks at sockets. */
export type Source = "timer" | "io" | "soon";

interface Waiting {
  readonly source: Source;
  readonly run: () => void;
}

/** Between two things from the line in front of the door, at least, ms. */
const servingMinMs = 0.001;

export class Process {
  /** Of the machine: `node-1`. */
  readonly name: string;
  /** 1 for the first process on this machine, 2 for the one after its crash. */
  readonly generation: number;
  readonly world: World;
  readonly machineClock: MachineClock;
  state: "running" | "paused" | "dead" = "running";
  /** Of the code that runs here. */
  build: Build = 0;
  /** How long everything takes that this process does, ms. */
  costMs = 0;
  /** Through this everything goes that runs on this process: whoever runs knows by it where he is. */
  enter: (run: () => void) => void = (run) => run();
  #waiting: Waiting[] = [];
  /** Until when the processor is at work on what has run already, in microseconds of the world. */
  #busyUntilUs = 0;
  #serving = false;
  #lastSoonUs = 0;

  constructor(world: World, name: string, generation: number, machineClock: MachineClock) {
    this.world = world;
    this.name = name;
    this.generation = generation;
    this.machineClock = machineClock;
  }

  /**
   * What runs now takes so long: for whoever asks this process's clock it is later by that, and what comes next
   * waits until then. Handlers of a model of load call it; all other code takes no time.
   */
  spend(ms: number): void {
    this.#busyUntilUs = Math.max(this.#busyUntilUs, this.world.nowUs) + Math.round(ms * 1_000);
  }

  /** How far the code that runs now is ahead of the world, ms. */
  get aheadMs(): number {
    return Math.max(0, this.#busyUntilUs - this.world.nowUs) / 1_000;
  }

  get alive(): boolean {
    return this.state !== "dead";
  }

  /** Something comes in: runs now, later, or never. */
  deliver(run: () => void, source: Source = "io"): void {
    if (this.state === "dead") return;
    const free = this.costMs === 0 && this.#waiting.length === 0 && this.#busyUntilUs <= this.world.nowUs;
    if (this.state === "running" && free) return this.enter(run);
    this.#waiting.push({ source, run });
    this.#serve();
  }

  pause(): void {
    if (this.state === "running") this.state = "paused";
  }

  resume(): void {
    if (this.state !== "paused") return;
    this.state = "running";
    const isTimer = ({ source }: Waiting): boolean => source === "timer";
    this.#waiting = [...this.#waiting.filter(isTimer), ...this.#waiting.filter((waiting) => !isTimer(waiting))];
    this.#serve();
  }

  kill(): void {
    this.state = "dead";
    this.#waiting = [];
  }

  clock(): Clock {
    const { world, machineClock } = this;
    return {
      monotonic: () => machineClock.monotonic() + this.aheadMs * machineClock.rate,
      wall: () => machineClock.wall() + Math.floor(this.aheadMs),
      setTimer: (delayMs, callback) => this.#setTimer(delayMs, callback),
      soon: (callback) => {
        // A microsecond apart: they keep their order, and come after what was due.
        this.#lastSoonUs = Math.max(world.nowUs, this.#lastSoonUs) + 1;
        world.at(this.#lastSoonUs, () => this.deliver(callback, "soon"));
      },
    };
  }

  #setTimer(delayMs: number, callback: () => void): Timer {
    const { world, machineClock } = this;
    const due = machineClock.monotonic() + delayMs;
    let event: ScheduledEvent | null;
    let cancelled = false;
    const fire = (): void => {
      if (cancelled) return;
      if (machineClock.monotonic() < due) arm();
      else callback();
    };
    const arm = (): void => {
      const leftMs = Math.max(0, due - machineClock.monotonic()) / machineClock.rate;
      event = world.after(leftMs, () => this.deliver(fire, "timer"));
    };
    arm();
    return {
      cancel: () => {
        cancelled = true;
        if (event !== null) world.cancel(event);
        event = null;
      },
    };
  }

  /** One thing at a time from the line in front of the door. */
  #serve(): void {
    if (this.#serving || this.state !== "running" || this.#waiting.length === 0) return;
    this.#serving = true;
    this.world.after(Math.max(this.costMs, servingMinMs, this.aheadMs), () => {
      this.#serving = false;
      if (this.state !== "running") return;
      const next = this.#waiting.shift();
      this.#serve();
      if (next !== undefined) this.enter(next.run);
    });
  }
}

/** The random port, from a seed; `numbers`: where its numbers come from, if from somewhere else than its bytes. */
export function seededRandom(prng: Prng, numbers: Prng = prng): Random {
  return {
    bytes: (length) => {
      const bytes = new Uint8Array(length);
      for (let index = 0; index < length; index += 4) {
        const drawn = prng.uint32();
        for (let byte = 0; byte < 4 && index + byte < length; byte++) bytes[index + byte] = drawn >>> (8 * byte);
      }
      return bytes;
    },
    number: () => numbers.number(),
  };
}
