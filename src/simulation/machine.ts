/**
 * One machine of the simulated system: a process that runs the real node, a supervisor that starts it again, clocks,
 * and what can be done to it: crash, pause, suspend, restart.
 */
import type { Log } from "../ports/log.ts";
import type { Random } from "../ports/random.ts";
import type { NodeLimits } from "../runtime/limits.ts";
import { type RunningNode, startNode } from "../runtime/node.ts";
import type { AnySystem } from "../service/model.ts";
import type { Prng } from "../values/prng.ts";
import { type Build, builtSystem } from "./builds.ts";
import { observedSystem } from "./handler-runs.ts";
import type { Judge } from "./judge.ts";
import { doorOf, type Place } from "./user-code/place.ts";
import { MachineClock } from "./world/machine-clock.ts";
import type { SimulatedNetwork } from "./world/network.ts";
import { Process, seededRandom } from "./world/process.ts";
import type { SimulatedStore } from "./world/store.ts";
import { between, type World } from "./world/world.ts";

/** What a process runs. */
export interface ProcessCode {
  /** What is different for user code that runs there. */
  readonly place: Place;
  /** A promise while the modules are loaded; the world waits. */
  readonly system: AnySystem | Promise<AnySystem>;
}

export interface MachineOptions {
  readonly name: string;
  readonly world: World;
  readonly network: SimulatedNetwork;
  readonly store: SimulatedStore;
  readonly judge: Judge;
  readonly code: (process: Process, upgraded: boolean) => ProcessCode;
  readonly limits: Partial<NodeLimits>;
  readonly machines: number;
}

/** How a machine loses its process. */
export interface CrashOptions {
  /** The whole machine goes, so that nobody is told: peers and the store find out by themselves. */
  readonly powerLost?: boolean;
  /** The supervisor saw it and ends the lease. */
  readonly supervised?: boolean;
}

/** The wait before a supervisor starts a process again, ms. */
const restartMinMs = 50;
const restartMaxMs = 1_000;
const port = 7_000;

export class Machine {
  readonly name: string;
  readonly clock: MachineClock;
  process: Process | null = null;
  /** The node, once it serves. */
  running: RunningNode | null = null;
  /** Calls of clients that wait for this process; each is told when it is no more. */
  readonly waiting: Set<() => void> = new Set();
  restarts = 0;
  /** Whether its next process runs the newer release. */
  upgraded = false;
  /** What its next process has in its durable commands. */
  build: Build = 0;
  /** Whether the supervisor may start the process again; false while a fault keeps it down, or after the end. */
  wanted = true;
  readonly #options: MachineOptions;
  readonly #prng: Prng;
  #generation = 0;
  #incarnation = 0;

  constructor(options: MachineOptions) {
    this.#options = options;
    this.name = options.name;
    this.#prng = options.world.prng(`machine/${options.name}`);
    this.clock = new MachineClock(options.world, { monotonicMs: between(this.#prng, 0, 1e6), offsetMs: 0 });
  }

  get incarnation(): number {
    return this.running?.incarnation ?? this.#incarnation;
  }

  start(): void {
    if (this.process?.alive) return;
    const { world, network } = this.#options;
    network.powerOn(this.name);
    this.#generation += 1;
    const process = new Process(world, this.name, this.#generation, this.clock);
    process.build = this.build;
    this.process = process;
    this.running = null;
    world.trace.add(this.name, "process", `${this.#generation} starts`);
    const { place, system } = this.#options.code(process, this.upgraded);
    process.enter = doorOf(place);
    if (!(system instanceof Promise)) return process.enter(() => this.#startNode(process, system));
    const started = system.then(
      (loaded) => process.enter(() => this.#startNode(process, loaded)),
      (error: unknown) => this.#ended(process, `could not load its modules: ${wordsOf(error)}`),
    );
    this.#options.world.hold(started);
  }

  #startNode(process: Process, system: AnySystem): void {
    // It crashed while its modules were loaded.
    if (!process.alive) return;
    const { network, store, judge, limits, machines } = this.#options;
    const built = builtSystem(system, process.build, `${this.name} ${process.generation}`);
    const started = startNode({
      node: this.name,
      system: observedSystem(built, process, judge),
      store: store.portOf(process),
      clock: process.clock(),
      random: this.#random(process),
      log: this.#log(process),
      limits,
      network: { network: network.portOf(process), listen: `${this.name}:${port}` },
      expectedMembers: machines,
      onJoined: (incarnation) => {
        this.#incarnation = incarnation;
      },
    });
    started.then(
      (running) => this.#serves(process, running),
      (error: unknown) => this.#ended(process, `could not start: ${wordsOf(error)}`),
    );
  }

  #random({ generation }: Process): Random {
    const { world } = this.#options;
    const name = `random/${this.name}/${generation}`;
    // Bytes make ids, which must differ; numbers spread what would else happen at once.
    return seededRandom(world.prng(name), world.momentaryPrng(`${name}/numbers`));
  }

  /** The process is gone, between two events; what it had sent is on its way. */
  crash({ powerLost = false, supervised = !powerLost }: CrashOptions = {}): void {
    const { process } = this;
    if (process === null || !process.alive) return;
    const incarnation = this.#incarnation;
    this.#options.world.trace.add(this.name, "process", powerLost ? "loses power" : "crashes");
    this.#end(process, powerLost);
    if (supervised && incarnation > 0) this.#endLease(incarnation);
  }

  /** Like SIGSTOP and SIGCONT: the clocks go on. */
  pause(): void {
    this.process?.pause();
  }

  resume(): void {
    this.clock.wake();
    this.process?.resume();
  }

  /** The whole machine sleeps: its monotonic clock stands still. */
  suspend(): void {
    // Nobody would wake it before its next process runs.
    if (!this.process?.alive) return;
    this.process.pause();
    this.clock.suspend();
  }

  /** Planned: drain, leave, and the process ends. One that does not serve yet has nothing to hand over, and ends at once. */
  async stop(drainMs: number): Promise<void> {
    const { process, running } = this;
    if (process === null || running === null) return this.crash();
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.waiting.delete(done);
        resolve();
      };
      this.waiting.add(done);
      process.deliver(() => void running.stop(drainMs).then(done));
    });
  }

  #serves(process: Process, running: RunningNode): void {
    if (!process.alive) return;
    this.running = running;
    this.#options.world.trace.add(this.name, "process", `serves as incarnation ${running.incarnation}`);
    void running.stopped.then((reason) => {
      if (reason === undefined) this.#checkNothingLeft(process);
      this.#ended(process, reason === undefined ? "stopped" : `had to stop: ${reason.message}`);
    });
  }

  /** As long as the process is there: its end takes away whatever it has. */
  #checkNothingLeft(process: Process): void {
    const { network, judge } = this.#options;
    const left = process.alive ? network.connectionsInUse(process) : 0;
    if (left > 0) judge.report("bounded", `${this.name} has stopped and left ${left} ends of connections open`);
  }

  #ended(process: Process, why: string): void {
    if (!process.alive) return;
    this.#options.world.trace.add(this.name, "process", why);
    this.#end(process, false);
  }

  #end(process: Process, powerLost: boolean): void {
    process.kill();
    this.clock.wake();
    this.running = null;
    this.#options.network.processEnded(process, powerLost);
    for (const tell of [...this.waiting]) tell();
    this.waiting.clear();
    if (!powerLost) this.#restartLater();
  }

  #restartLater(): void {
    this.restarts += 1;
    this.#options.world.after(between(this.#prng, restartMinMs, restartMaxMs), () => {
      if (this.wanted) this.start();
    });
  }

  /** As the supervisor does it, from the same machine. */
  #endLease(incarnation: number): void {
    const { world, store } = this.#options;
    const supervisor = new Process(world, this.name, 0, this.clock);
    store
      .portOf(supervisor)
      .endLease({ node: this.name, incarnation })
      .catch(() => {});
  }

  #log(process: Process): Log {
    const { world, judge } = this.#options;
    const write = (level: keyof Log) => (message: string, fields?: Record<string, unknown>) => {
      if (!process.alive) return;
      world.trace.add(this.name, level, message);
      const cause = fields?.error;
      if (isDefect(message, cause)) judge.report("no defect", `${this.name}: ${message}: ${wordsOf(cause)}`);
    };
    return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
  }
}

/** An error of ours, whoever caught it. */
function isDefect(message: string, error: unknown): boolean {
  if (message === "a call failed inside the runtime") return true;
  return error instanceof Error && ["InvariantError", "TypeError", "RangeError", "ReferenceError"].includes(error.name);
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
