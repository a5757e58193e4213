/**
 * The simulated system as a whole, and the verbs for what happens to it: partition and repair, hold and release,
 * crash and restart, pause and resume, skew. Faults of a plan use the same verbs as a test that reads as prose.
 */
import { createMemoryDatabase, type MemoryDatabase } from "../adapters/memory/database.ts";
import { invariant } from "../errors.ts";
import { defaultLimits, type NodeLimits } from "../runtime/limits.ts";
import type { AnySystem } from "../service/model.ts";
import { boundsLookMs, overBounds } from "./checkers/bounds.ts";
import { Client } from "./client.ts";
import { Judge } from "./judge.ts";
import { type CrashOptions, Machine, type ProcessCode } from "./machine.ts";
import { type ClientOperation, type HandlerRun, isDurable, nameOfEntity } from "./operation.ts";
import { Operator } from "./operator.ts";
import { nodePlace } from "./user-code/places.ts";
import { stackOf } from "./user-code/stacks.ts";
import type { Weather } from "./weather.ts";
import { SimulatedNetwork } from "./world/network.ts";
import { type Process, seededRandom } from "./world/process.ts";
import { type Answers, SimulatedStore, type StoreKind } from "./world/store.ts";
import { between, seedPrng, World } from "./world/world.ts";

export interface ClusterOptions {
  readonly seed: number;
  readonly timing?: number | undefined;
  readonly system: AnySystem;
  /** The release that machines change to in an upgrade. */
  readonly upgrade?: AnySystem | undefined;
  /** What a process of a machine runs; the same system when absent, in the modules of whoever made it. */
  readonly code?: ((process: Process, judge: Judge, upgraded: boolean) => ProcessCode) | undefined;
  readonly nodes: number;
  readonly weather: Weather;
  /** `file` when absent. */
  readonly storeKind?: StoreKind | undefined;
  readonly shardsPerService: number;
  readonly limits: Partial<NodeLimits>;
  readonly keepTrace: boolean;
  readonly answers?: Answers | undefined;
}

/** What {@link Cluster.skew} does to the clocks of a machine. */
export interface Skew {
  /** How fast both clocks run from now on: 1.01 is one percent fast. */
  readonly rate?: number;
  /** The time of the day jumps by so many ms. */
  readonly jumpMs?: number;
}

/** Of a process, when a durable command there has made a call, ms: before its journal is written, or after. */
const crashDelayMaxMs = 30;

/** As whom the clients of tests call, so that an idempotency key of theirs is one key whichever of them sends it. */
const strangersPrincipal = "client";

/** Within this time of the world, all nodes of a quiet system serve, ms. */
const startMs = 60_000;

export class Cluster {
  readonly world: World;
  readonly judge: Judge;
  readonly network: SimulatedNetwork;
  readonly store: SimulatedStore;
  readonly database: MemoryDatabase;
  readonly machines: readonly Machine[];
  readonly #held = new Map<string, (() => void)[]>();
  #partitions: (() => void)[] = [];
  #clients = 0;
  /** Replies are forgotten within the time of a run. */
  readonly #forgets: boolean;
  readonly #limits: NodeLimits;

  constructor(options: ClusterOptions) {
    const { seed, timing, nodes, weather, limits, keepTrace } = options;
    const { system, upgrade } = options;
    const release = (upgraded: boolean): AnySystem => (upgraded ? (upgrade ?? system) : system);
    const code =
      options.code ?? ((process, judge, upgraded) => ({ place: nodePlace(process, judge), system: release(upgraded) }));
    this.world = new World({
      seed,
      timing,
      keepTrace,
      onThrown: (error) => this.judge.report("no defect", `thrown out of an event: ${stackOf(error)}`),
    });
    this.#forgets = limits.retentionMs !== undefined;
    this.#limits = { ...defaultLimits, ...limits };
    this.judge = new Judge(this.world, system, this.#limits, upgrade);
    this.network = new SimulatedNetwork(this.world, weather.network);
    const random = seededRandom(seedPrng(seed, "secret"));
    const { shardsPerService, storeKind: kind = "file" } = options;
    const commitsRenew = kind === "file";
    this.database = createMemoryDatabase({ system: system.name, random, shardsPerService, commitsRenew });
    this.store = new SimulatedStore(this.world, {
      database: this.database,
      weather: weather.store,
      kind,
      observer: this.judge,
      ...(options.answers && { answers: options.answers }),
    });
    this.machines = Array.from({ length: nodes }, (_, index) => {
      const name = `node-${index + 1}`;
      return new Machine({
        name,
        world: this.world,
        network: this.network,
        store: this.store,
        judge: this.judge,
        code: (process, upgraded) => code(process, this.judge, upgraded),
        limits,
        machines: nodes,
      });
    });
  }

  machine(name: string): Machine {
    const machine = this.machines.find((one) => one.name === name);
    invariant(machine !== undefined, `there is a machine ${name}`);
    return machine;
  }

  /** One of the clients of a run. */
  client(): Client {
    const { world, judge, machines } = this;
    return new Client({ name: this.#nameOfClient(), world, judge, machines, timedKeys: this.#forgets });
  }

  /** A client that asks any of these machines, and likes none best. To the system all of them are one caller. */
  strangerTo(machines: readonly Machine[]): Client {
    const { world, judge } = this;
    return new Client({
      name: this.#nameOfClient(),
      world,
      judge,
      machines,
      principal: strangersPrincipal,
      timedKeys: this.#forgets,
      loyalty: 0,
    });
  }

  #nameOfClient(): string {
    return `client-${++this.#clients}`;
  }

  /** Whether every machine that should serve does. */
  get serves(): boolean {
    return this.machines.every(({ wanted, running }) => !wanted || running?.gateway.state === "ready");
  }

  /** Starts all machines and waits until they serve. */
  async start(): Promise<boolean> {
    for (const machine of this.machines) machine.start();
    this.judge.onCommitSent = ({ name }) => this.#lookAtBounds(this.machine(name));
    this.#lookAtAllBounds();
    new Operator(this).start();
    await this.world.run(this.world.now + startMs, () => this.serves);
    return this.serves;
  }

  #lookAtAllBounds(): void {
    for (const machine of this.machines) this.#lookAtBounds(machine);
    this.world.after(boundsLookMs, () => this.#lookAtAllBounds());
  }

  #lookAtBounds({ name, running }: Machine): void {
    if (running === null) return;
    for (const words of overBounds(running.holdings(), this.#limits)) {
      this.judge.report("bounded", `${name} holds ${words}`);
    }
  }

  /** Lets time pass. */
  async advance(ms: number): Promise<void> {
    await this.world.run(this.world.now + ms);
  }

  /** Lets time pass until this is done; false when it is not within `withinMs`. */
  async until(work: Promise<unknown> | (() => boolean), withinMs: number): Promise<boolean> {
    let done = false;
    const mark = (): void => {
      done = true;
    };
    if (typeof work !== "function") work.then(mark, mark);
    await this.world.run(this.world.now + withinMs, typeof work === "function" ? work : () => done);
    return typeof work === "function" ? work() : done;
  }

  /** Nothing passes between these groups of machines, until {@link repair}. */
  partition(...groups: readonly (readonly string[])[]): () => void {
    this.#note("partition", groups.map((group) => group.join(" ")).join(" | "));
    const undo: (() => void)[] = [];
    for (const group of groups) {
      for (const other of groups) {
        if (group === other) continue;
        for (const from of group) for (const to of other) undo.push(this.network.block(from, to));
      }
    }
    const heal = (): void => {
      for (const one of undo) one();
    };
    this.#partitions.push(heal);
    return heal;
  }

  /** A machine is out of reach, of the others and of the store, while its process goes on, until the returned function has been called. */
  vanish(name: string): () => void {
    this.#note("vanish", name);
    const others = this.machines.flatMap((machine) => (machine.name === name ? [] : [machine.name]));
    const undo = [this.partition([name], others), this.store.cutOff(name)];
    return () => {
      for (const one of undo) one();
    };
  }

  /** Whatever a machine exchanges with the others and with the store takes so much longer, each way. */
  slowLinks(name: string, ms: number): () => void {
    const undo = [this.store.slowDown(name, ms)];
    for (const other of this.machines) {
      if (other.name === name) continue;
      undo.push(this.network.slowDown(name, other.name, ms), this.network.slowDown(other.name, name, ms));
    }
    return () => {
      for (const one of undo) one();
    };
  }

  /** Ends all partitions. */
  repair(): void {
    this.#note("repair", "");
    for (const heal of this.#partitions.splice(0)) heal();
  }

  /** What `from` sends to `to` waits, until {@link release}. */
  hold(from: string, to: string): () => void {
    this.#note("hold", `${from} → ${to}`);
    const undo = this.network.block(from, to);
    const way = `${from}→${to}`;
    this.#held.set(way, [...(this.#held.get(way) ?? []), undo]);
    return undo;
  }

  release(from: string, to: string): void {
    this.#note("release", `${from} → ${to}`);
    for (const undo of this.#held.get(`${from}→${to}`) ?? []) undo();
    this.#held.delete(`${from}→${to}`);
  }

  /** The process of a machine is no more. It is started again, unless the power is lost too or it stays down. */
  crash(name: string, options: CrashOptions & { readonly staysDown?: boolean } = {}): void {
    const { staysDown = options.powerLost === true } = options;
    this.#note("crash", `${name}${options.powerLost ? ", power lost" : ""}`);
    const machine = this.machine(name);
    machine.wanted = !staysDown;
    machine.crash(options);
  }

  /** Starts a machine that is down. */
  restart(name: string): void {
    this.#note("restart", name);
    const machine = this.machine(name);
    machine.wanted = true;
    machine.start();
  }

  /** For how long replies are remembered, ms. */
  get retentionMs(): number {
    return this.#limits.retentionMs;
  }

  /** The next command of a client that runs kills its process, and every other one that runs it, until the returned function has been called. */
  doomNextCommand(): () => void {
    let lethal: ClientOperation | null = null;
    const watch = (run: HandlerRun): void => {
      if (run.kind !== "command" || run.client === null) return;
      lethal ??= run.client;
      if (run.client !== lethal) return;
      // Between two events: what it has left is not on its way yet.
      this.world.after(0, () => {
        const machine = this.machines.find(({ process }) => process === run.process);
        if (machine === undefined || !run.process.alive) return;
        this.#note("lethal command", `${nameOfEntity(run.service, run.key)}.${run.operation} on ${machine.name}`);
        machine.crash();
      });
    };
    this.judge.watchers.add(watch);
    return () => void this.judge.watchers.delete(watch);
  }

  /**
   * The process of this machine crashes shortly after a durable command there has made a call; when the returned
   * function is called, if none has until then.
   */
  crashInDurableCommand(machine: Machine): () => void {
    const { process } = machine;
    const { makers } = this.judge;
    const crash = (): void => {
      makers.delete(watch);
      if (machine.process === process) machine.crash();
    };
    const watch = (run: HandlerRun): void => {
      if (run.process !== process || !isDurable(run)) return;
      makers.delete(watch);
      this.world.after(between(this.world.prng(`crash/${machine.name}/${run.id}`), 0, crashDelayMaxMs), crash);
    };
    makers.add(watch);
    return crash;
  }

  pause(name: string): void {
    this.#note("pause", name);
    this.machine(name).pause();
  }

  suspend(name: string): void {
    this.#note("suspend", name);
    this.machine(name).suspend();
  }

  resume(name: string): void {
    this.#note("resume", name);
    this.machine(name).resume();
  }

  skew(name: string, { rate, jumpMs }: Skew): void {
    this.#note(
      "skew",
      `${name}${rate === undefined ? "" : ` rate ${rate}`}${jumpMs === undefined ? "" : ` jump ${jumpMs} ms`}`,
    );
    const { clock } = this.machine(name);
    if (rate !== undefined) clock.setRate(rate);
    if (jumpMs !== undefined) clock.jump(jumpMs);
  }

  /** Planned work: the process drains, leaves, and is started again. */
  async cycle(name: string, drainMs: number): Promise<void> {
    this.#note("drain", name);
    await this.machine(name).stop(drainMs);
  }

  note(verb: string, text: string): void {
    this.#note(verb, text);
  }

  #note(verb: string, text: string): void {
    this.world.trace.add("world", "fault", `${verb} ${text}`.trimEnd());
  }
}
