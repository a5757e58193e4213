/**
 * A simulated system for tests that read as prose: it starts in fair weather, time passes when the test says so, and
 * what goes wrong is said in verbs. Every promise is judged all along, as in the runs of `synod sim`.
 */
import { SynodError } from "../errors.ts";
import { toError } from "../runtime/replies.ts";
import type { Address, CallOptions, Operations } from "../service/call.ts";
import type { AnyInterface, AnyService, AnySystem } from "../service/model.ts";
import { replaceServices } from "../service/system.ts";
import { parseDuration } from "../values/durations.ts";
import type { Client } from "./client.ts";
import { Cluster, type Skew } from "./cluster.ts";
import { committedState } from "./committed-state.ts";
import type { Violation } from "./judge.ts";
import { pendingThings } from "./pending.ts";
import type { CommittedState } from "./scenario.ts";
import { replaceSurroundings } from "./user-code/install.ts";
import { fairWeather } from "./weather.ts";
import type { StoreKind } from "./world/store.ts";

export interface SimulatedSystemOptions {
  /** How many nodes there are: `node-1`, `node-2`, … 3 when absent. */
  readonly nodes?: number;
  /** Decides every tie and every delay; 1 when absent. */
  readonly seed?: number;
  /** A `file` of one machine, as on SQLite, or a `server` with standbys, as on PostgreSQL; a file when absent. */
  readonly store?: StoreKind;
  /** Implementations that take the place of the system's own: the outside world. */
  readonly replace?: readonly AnyService[];
  /** Another release of the system, which nodes run after {@link SimulatedSystem.changeRelease}. */
  readonly upgrade?: AnySystem;
}

/** Work that is not tried until an operator says so; see {@link SimulatedSystem.parked}. */
export interface ParkedWork {
  /** `transfer/3/17`: service, shard and number, as `synod dead` names it. */
  readonly id: string;
  /** Whose it is, and what: `durable command start of transfer "t-1"`. */
  readonly what: string;
  /** As in the reason that `synod dead show` gives. */
  readonly code: string;
  readonly message: string;
}

/** How a node is lost by {@link SimulatedSystem.crash}. */
export interface CrashManner {
  /** The whole machine goes: nobody is told, and its lease has to run out. It stays down until {@link SimulatedSystem.restart}. */
  readonly powerLost?: boolean;
  /** The supervisor does not start the process again by itself. */
  readonly staysDown?: boolean;
}

/** Calls of one client; see {@link SimulatedSystem.to}. */
export interface SimulatedCaller {
  to<I extends AnyInterface>(callee: I, ...address: Address<I>): Operations<I>;
}

/** Simulated time that a test waits for something at the most, when it does not say it, ms. */
const patienceMs = 60_000;
/** How often a call is repeated while its time lasts. */
const attemptsMax = 1_000;
const callTimeoutMs = 10_000;
const shardsPerService = 8;

/**
 * Starts a system on simulated nodes. One at a time in a process: dispose of it before the next one starts.
 *
 * @example
 * ```ts
 * import { command, defineInterface, defineSystem, implement, query } from "synod";
 * import { startSimulatedSystem } from "synod/simulation";
 * import { z } from "zod";
 *
 * const Counter = defineInterface("counter", {
 *   key: z.string(),
 *   operations: { add: command({ output: z.number() }), value: query({ output: z.number() }) },
 * });
 * const counter = implement(Counter, {
 *   state: { version: 1, initial: () => ({ value: 0 }) },
 *   operations: { add: (ctx) => ++ctx.state.value, value: (ctx) => ctx.state.value },
 * });
 *
 * await using system = await startSimulatedSystem(defineSystem({ name: "counting", services: [counter] }));
 * await system.outcome(system.to(Counter, "a").add());
 * system.crash(await system.ownerOf(Counter, "a"));
 * console.assert((await system.outcome(system.to(Counter, "a").value())) === 1);
 * ```
 */
export async function startSimulatedSystem(
  system: AnySystem,
  { nodes = 3, seed = 1, store, replace = [], upgrade }: SimulatedSystemOptions = {},
): Promise<SimulatedSystem> {
  const replacedIn = (release: AnySystem) => (replace.length === 0 ? release : replaceServices(release, replace));
  const replaced = replacedIn(system);
  const giveBack = replaceSurroundings();
  try {
    const cluster = new Cluster({
      seed,
      system: replaced,
      upgrade: upgrade && replacedIn(upgrade),
      nodes,
      weather: fairWeather(),
      storeKind: store,
      shardsPerService,
      limits: {},
      keepTrace: false,
    });
    if (!(await cluster.start())) throw new SynodError("unavailable", "the simulated nodes did not come to serve");
    return new SimulatedSystem(cluster, replaced, giveBack);
  } catch (error) {
    giveBack();
    throw error;
  }
}

/** Made by {@link startSimulatedSystem}. Nothing happens in it but while one of its methods is awaited. */
export class SimulatedSystem implements AsyncDisposable {
  readonly #cluster: Cluster;
  readonly #system: AnySystem;
  readonly #giveBack: () => void;
  readonly #onRejection = (reason: unknown): void =>
    this.#cluster.judge.report("no defect", `a promise was rejected and nobody cared: ${String(reason)}`);

  constructor(cluster: Cluster, system: AnySystem, giveBack: () => void) {
    this.#cluster = cluster;
    this.#system = system;
    this.#giveBack = giveBack;
    process.on("unhandledRejection", this.#onRejection);
  }

  /** Names of the nodes. */
  get nodes(): readonly string[] {
    return this.#cluster.machines.map(({ name }) => name);
  }

  /** Simulated milliseconds since the world began. */
  get now(): number {
    return this.#cluster.world.now;
  }

  /** Promises that were broken so far. */
  get violations(): readonly Violation[] {
    return this.#cluster.judge.violations;
  }

  /** What is in the store. */
  get state(): CommittedState {
    return committedState(this.#cluster.database, this.#cluster.judge.shapes);
  }

  /**
   * The operations of an interface, asked for by a new client of whichever node it likes; commands carry an idempotency
   * key and are repeated under it for as long as their timeout lasts (10 s). A call begins at once and is answered while time passes.
   * All callers are one to the system, so that commands of one entity under one `id` are one, whoever sends them.
   */
  to<I extends AnyInterface>(callee: I, ...address: Address<I>): Operations<I> {
    return this.#operations(this.#cluster.strangerTo(this.#cluster.machines), callee, address);
  }

  /** The same from a client that knows only this node. */
  at(node: string): SimulatedCaller {
    const client = this.#cluster.strangerTo([this.#cluster.machine(node)]);
    return { to: (callee, ...address) => this.#operations(client, callee, address) };
  }

  /** Lets time pass until a call, or anything else that hangs on the system, has settled: with its value or its error. */
  async outcome<T>(work: Promise<T>, withinMs: number = patienceMs): Promise<T> {
    work.catch(() => {});
    if (await this.#cluster.until(work, withinMs)) return await work;
    throw new SynodError("deadline_exceeded", `nothing came of it within ${withinMs} ms of simulated time`);
  }

  /** Lets time pass. */
  advance(ms: number): Promise<void> {
    return this.#cluster.advance(ms);
  }

  /** Lets time pass until this holds; false when it does not within `withinMs`. */
  until(holds: () => boolean, withinMs: number = patienceMs): Promise<boolean> {
    return this.#cluster.until(holds, withinMs);
  }

  /** The node that owns an entity; waits until there is one. */
  async ownerOf(callee: AnyInterface, key: string): Promise<string> {
    let owner: string | undefined;
    const { world } = this.#cluster;
    for (const until = world.now + patienceMs; owner === undefined && world.now < until; await this.advance(100)) {
      const machine = this.#cluster.machines.find(({ process, running }) => running && process?.state === "running");
      if (machine?.running == null) continue;
      const found = await this.outcome(machine.running.inspect(callee.name, key)).catch(() => undefined);
      const name = found?.owner ?? undefined;
      if (name !== undefined && this.#cluster.machine(name).running !== null) owner = name;
    }
    if (owner === undefined) throw new SynodError("unavailable", `${callee.name}/${key} has no owner`);
    return owner;
  }

  /** Nothing passes between these groups of nodes, until {@link repair}. */
  partition(...groups: readonly (readonly string[])[]): void {
    this.#cluster.partition(...groups);
  }

  /** Ends all partitions. */
  repair(): void {
    this.#cluster.repair();
  }

  /** What `from` sends to `to` waits, until {@link release}; the other way is open. */
  hold(from: string, to: string): void {
    this.#cluster.hold(from, to);
  }

  release(from: string, to: string): void {
    this.#cluster.release(from, to);
  }

  /** Nothing passes between a node and the store, until the returned function has been called. */
  cutOffStore(node: string): () => void {
    return this.#cluster.store.cutOff(node);
  }

  /**
   * The server of the store is gone, until {@link promoteStandby}. What was answered is at a standby, and so are some of the writes that
   * were under way, of which nobody hears.
   */
  losePrimary(): void {
    this.#cluster.store.losePrimary();
  }

  /** A standby is the store's server now: every lease has ended, and every node joins again. */
  promoteStandby(): void {
    this.#cluster.store.promote(false);
  }

  /** The process of a node is gone, as by `kill -9`; its supervisor ends its lease and starts it again within a second. */
  crash(node: string, manner: CrashManner = {}): void {
    this.#cluster.crash(node, manner);
  }

  /** Starts a node that is down. */
  restart(node: string): void {
    this.#cluster.restart(node);
  }

  /** What a node runs from its next start on: the system that was started, or its `upgrade`. */
  changeRelease(node: string, to: "system" | "upgrade"): void {
    this.#cluster.machine(node).upgraded = to === "upgrade";
  }

  /** Durable commands and messages that are parked, as the store has them. An operator has them tried again now and then. */
  get parked(): readonly ParkedWork[] {
    return pendingThings(this.#cluster.database, 0).flatMap(({ shard, number, words, parked }) => {
      if (parked === null) return [];
      const { code, message } = JSON.parse(parked) as Pick<ParkedWork, "code" | "message">;
      return [{ id: `${shard.service}/${shard.number}/${number}`, what: words, code, message }];
    });
  }

  /** The process stands still, as by SIGSTOP, until {@link resume}. */
  pause(node: string): void {
    this.#cluster.pause(node);
  }

  resume(node: string): void {
    this.#cluster.resume(node);
  }

  /** Changes the clocks of a node: how fast they run, and what time of the day it is there. */
  skew(node: string, skew: Skew): void {
    this.#cluster.skew(node, skew);
  }

  /** Planned work: the node hands over, leaves, and is started again. */
  async drain(node: string, drainMs: number = callTimeoutMs): Promise<void> {
    await this.outcome(this.#cluster.cycle(node, drainMs));
  }

  /** Ends every node. Throws when a promise was broken. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { name } of this.#cluster.machines) this.#cluster.crash(name, { staysDown: true });
    await this.advance(0);
    process.off("unhandledRejection", this.#onRejection);
    this.#giveBack();
    const [first] = this.violations;
    if (first !== undefined) throw new SynodError("internal", `${first.promise}: ${first.text}`);
  }

  #operations<I extends AnyInterface>(client: Client, { name }: I, address: Address<I>): Operations<I> {
    const service = this.#system.services.find((one) => one.interface.name === name);
    if (service === undefined) throw new SynodError("not_found", `no service implements ${name}`);
    const keyed = service.interface.key !== undefined;
    const key = keyed ? (address[0] as string) : undefined;
    const { timeout, id } = ((keyed ? address[1] : address[0]) ?? {}) as CallOptions;
    const timeoutMs = timeout === undefined ? callTimeoutMs : parseDuration(timeout, "the timeout of a call");
    const operations: Record<string, unknown> = {};
    for (const operation of Object.keys(service.interface.operations)) {
      const safe = async (input?: unknown): Promise<Heard> => {
        const request = { service: name, key, operation, input, idempotencyKey: id };
        const { reply } = await client.perform(request, { timeoutMs, lastsMs: timeoutMs, attemptsMax, answerLost: 0 });
        if (reply === undefined) return { ok: false, error: nobodyAnswered() };
        if (!reply.ok) return { ok: false, error: toError(reply.error) };
        return { ok: true, value: reply.output === undefined ? undefined : JSON.parse(reply.output) };
      };
      operations[operation] = Object.assign((input?: unknown) => valueOrThrow(safe(input)), { safe });
    }
    return operations as Operations<I>;
  }
}

type Heard = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: SynodError };

function nobodyAnswered(): SynodError {
  return new SynodError("unavailable", "no node answered", { outcome: "unknown" });
}

async function valueOrThrow(safe: Promise<Heard>): Promise<unknown> {
  const result = await safe;
  if (result.ok) return result.value;
  throw result.error;
}
