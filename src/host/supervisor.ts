/**
 * The supervisor: a small process that runs none of the user's code and therefore outlives it. It holds what
 * must not die with a node (the listening sockets, a store connection of its own, the lock that keeps a
 * second supervisor away) and keeps the nodes running. It never answers a call itself.
 *
 *     const supervisor = new Supervisor(options);
 *     const place = await supervisor.prepare();   // the system is loaded, its address and store are ours
 *     const { urls } = await supervisor.start();  // it serves
 *     await supervisor.stop(10_000);
 */
import { isDeepStrictEqual } from "node:util";
import { type FileLock, lockFile } from "../adapters/lock/file-lock.ts";
import type { LogOptions } from "../adapters/log/pino.ts";
import type { NodeMeters } from "../admin/target.ts";
import type { FaultOrder } from "../drill/fault.ts";
import { SynodError } from "../errors.ts";
import type { Log } from "../ports/log.ts";
import type { Store } from "../ports/store.ts";
import type { EntityInspection, NodeStatus } from "../runtime/node.ts";
import type { NodeCounts } from "./availability/requests.ts";
import { doorsMs } from "./drain-time.ts";
import { Strikes } from "./drills/strikes.ts";
import { endLeaseOf } from "./failover.ts";
import { bindSocket, type ListeningSocket } from "./listening-socket.ts";
import { isLocked } from "./locked-store.ts";
import type { Question, Questions, ServiceFacts, SystemFacts } from "./messages.ts";
import type { MeasuredConduct } from "./node-process.ts";
import { PassedConnections } from "./passed-connections.ts";
import { PlannedWork } from "./planned-work.ts";
import {
  besideStore,
  openStore,
  parseStoreUrl,
  type StoreLocation,
  storeName,
  storePatienceMs,
  storeUrl,
} from "./store-location.ts";
import { type NodeState, SupervisedNode } from "./supervised-node.ts";
import { pause, within } from "./within.ts";

export interface SupervisorOptions {
  readonly systemFile: string;
  /** Store URL; the system's own file in `.synod` when absent. */
  readonly store?: string;
  /** Port of the first adapter, instead of its own. */
  readonly port?: number;
  /** How long nodes drain that lose their supervisor. */
  readonly drainMs: number;
  /** How many nodes to run. */
  readonly nodes: number;
  readonly log: Log;
  /** How the nodes log. */
  readonly nodeLog: Pick<LogOptions, "format" | "level">;
  /** Keeps what the user's code prints away from standard output. */
  readonly quietStdout: boolean;
  /** How long a node that serves may give no sign of life before it is killed. Default 20 s. */
  readonly silenceMaxMs?: number;
  /** How its nodes are run to be measured. */
  readonly measured?: MeasuredConduct;
  /** Whether faults may be injected into its nodes. Default: no. */
  readonly drills?: boolean;
}

/** What a prepared supervisor has taken hold of. */
export interface SupervisedPlace {
  readonly system: SystemFacts;
  /** For people to read. */
  readonly store: string;
  /** The path, without its ending, of files beside the store. */
  readonly beside: string;
}

export interface NodeFacts {
  readonly id: string;
  readonly pid: number | undefined;
  /** Where other nodes reach it; a node alone has no such address. */
  readonly address: string | null;
}

export interface NodeReport extends NodeFacts {
  readonly state: NodeState;
  readonly incarnation: number | undefined;
  readonly restarts: number;
  /** The node's own figures; absent when it does not answer. */
  readonly status: NodeStatus | undefined;
}

const silenceDefaultMs = 20_000;
/** How long the address may still be held by a node of a run whose supervisor was killed. */
const formerRunMaxMs = 12_000;
const bindRetryMs = 50;
/** How much later than its nodes a supervisor may get a signal that was sent to all of them, ms. */
const ownSignalMaxMs = 500;
/** Of the time for a drain, what is kept to kill what did not end by itself. */
const killReserveMs = 500;

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #nodes: SupervisedNode[] = [];
  readonly #plannedWork: PlannedWork;
  readonly #strikes: Strikes;
  readonly #connections = new PassedConnections(() => {
    const ready = this.#nodes.filter(({ state }) => state === "ready");
    const answering = ready.filter(({ answers }) => answers);
    return (answering.length > 0 ? answering : ready).map(({ child }) => child);
  });
  readonly #loaded = Promise.withResolvers<SystemFacts>();
  readonly #ready = Promise.withResolvers<readonly string[]>();
  readonly #ended = Promise.withResolvers<SynodError | undefined>();
  #sockets: ListeningSocket[] = [];
  #lock: FileLock | undefined;
  #store: Store | undefined;
  #place: (SupervisedPlace & { readonly location: StoreLocation }) | undefined;
  #services: readonly ServiceFacts[] = [];
  #started = false;
  /** Whether all nodes have served at the same time. */
  #isReady = false;
  #stopping: Promise<void> | undefined;
  /** Whether it stops, or is about to. */
  #isEnding = false;
  /** Resolves when all nodes that were told to end have been seen to. */
  #terminations: Promise<void> = Promise.resolve();
  /** Ends the waiting for a store that cannot be reached. */
  readonly #givesUp = new AbortController();

  constructor(options: SupervisorOptions) {
    this.#options = options;
    const { drainMs, log, drills = false } = options;
    this.#plannedWork = new PlannedWork({ nodes: this.#nodes, drainMs, log });
    this.#strikes = new Strikes({ nodes: this.#nodes, allowed: drills, log });
    // Each is waited for by one of `prepare` and `start`, and all by `ended`.
    this.#loaded.promise.catch(() => {});
    this.#ready.promise.catch(() => {});
  }

  /** Resolves when everything has ended: with the reason when a node had to be given up. */
  get ended(): Promise<SynodError | undefined> {
    return this.#ended.promise;
  }

  /** Loads the system in its first node, and takes hold of its store and its addresses. */
  async prepare(): Promise<SupervisedPlace> {
    const inMemory = this.#options.store?.startsWith("memory:") === true;
    const length = inMemory ? 1 : this.#options.nodes;
    for (let number = 1; number <= length; number++) this.#nodes.push(this.#supervise(`node-${number}`));
    try {
      const system = await this.#loaded.promise;
      const location = parseStoreUrl(this.#options.store ?? system.store, system.name);
      const beside = besideStore(location, system.name);
      this.#place = { system, store: storeName(location), beside, location };
      this.#services = system.services;
      if (location.kind === "memory") {
        this.#options.log.warn(
          "the store is in memory: one node runs, and everything is lost when it ends, crashes included",
        );
      } else {
        this.#lock = lockFile(`${beside}.lock`);
        if (!this.#lock) throw alreadyRunning(this.#place);
        const patience = { forMs: storePatienceMs, signal: this.#givesUp.signal };
        this.#store = await openStore(location, system.name, { log: this.#options.log, patience });
      }
      await this.#bind(system);
      return this.#place;
    } catch (error) {
      await this.stop(0);
      throw error;
    }
  }

  /** Lets the nodes serve; resolves with the URLs of the adapters when they do. */
  async start(): Promise<readonly string[]> {
    this.#started = true;
    // One that is still loading, because it died in between, is started when it has loaded.
    for (const node of this.#nodes) if (node.state === "loaded") this.#startNode(node);
    return await this.#ready.promise;
  }

  /** As the code has them that was loaded last. */
  get services(): readonly ServiceFacts[] {
    return this.#services;
  }

  get nodes(): readonly NodeFacts[] {
    return this.#nodes.map(({ id, child, address }) => ({ id, pid: child.pid, address }));
  }

  /** How many nodes there are to be, and how many of them serve. */
  get serving(): { readonly nodes: number; readonly serving: number } {
    const wanted = this.#nodes.filter(({ state }) => state !== "drained" && state !== "stopped");
    return { nodes: wanted.length, serving: wanted.filter(({ state }) => state === "ready").length };
  }

  async report(): Promise<readonly NodeReport[]> {
    return await Promise.all(
      this.#nodes.map(async ({ id, child, state, incarnation, restarts, address }) => {
        const status = state === "ready" ? await child.ask("status", undefined).catch(() => undefined) : undefined;
        return { id, pid: child.pid, address, state, incarnation, restarts, status };
      }),
    );
  }

  /** Of all nodes that answer. */
  meters(): Promise<readonly NodeMeters[]> {
    return this.#askAll("meters");
  }

  /** How calls ended, of all nodes that answer. */
  counts(): Promise<readonly NodeCounts[]> {
    return this.#askAll("counts");
  }

  async #askAll<Q extends "meters" | "counts">(question: Q): Promise<readonly Questions[Q]["answer"][]> {
    const serving = this.#nodes.filter(({ state }) => state === "ready");
    const answers = serving.map(({ child }) => child.ask<Q>(question, undefined).catch(() => undefined));
    return (await Promise.all(answers)).filter((answer) => answer !== undefined);
  }

  /** Asks any node that serves, rather one that is not busy with something else. */
  async ask<Q extends Question>(
    question: Q,
    ask: Questions[Q]["ask"],
    waitMs?: number,
  ): Promise<Questions[Q]["answer"]> {
    const node = this.#nodes.find(({ answers }) => answers) ?? this.#nodes.find(({ state }) => state === "ready");
    if (!node) throw new SynodError("unavailable", "no node serves at the moment: try again", { retryAfterMs: 500 });
    return await node.child.ask(question, ask, waitMs);
  }

  /** Any node can tell what is durable, but only the owner what it has in memory. */
  async inspect(service: string, key: string): Promise<EntityInspection> {
    const entity = await this.ask("inspect", { service, key });
    const owner = this.#nodes.find(({ id, answers }) => id === entity.owner && answers);
    return (await owner?.child.ask("inspect", { service, key }).catch(() => undefined)) ?? entity;
  }

  /** Hands everything of one node over to the others and ends its process. */
  async drain(id: string): Promise<void> {
    this.#refuseWhileStopping();
    await this.#plannedWork.drain(id);
  }

  /** Drains one node and starts it again. */
  async restart(id: string): Promise<void> {
    this.#refuseWhileStopping();
    await this.#plannedWork.restart(id);
  }

  /** Injects a fault into its nodes, where that is allowed; resolves when it has begun. */
  async strike(order: FaultOrder): Promise<void> {
    this.#refuseWhileStopping();
    await this.#strikes.strike(order);
  }

  #refuseWhileStopping(): void {
    if (this.#isEnding) throw new SynodError("cancelled", "the system is being stopped");
  }

  /** `stop` follows, when something is done that takes the nodes: none of them is started again, and no planned work begun. */
  announceStop(): void {
    this.#isEnding = true;
  }

  /** Drains the nodes, kills what has not ended within `drainMs`, and frees everything. */
  stop(drainMs: number, reason?: SynodError): Promise<void> {
    this.#isEnding = true;
    this.#givesUp.abort();
    this.#stopping ??= this.#stop(drainMs, reason);
    return this.#stopping;
  }

  /** Ends the nodes at once. What they have acknowledged is durable. */
  kill(): void {
    for (const node of this.#nodes) node.kill();
  }

  #supervise(id: string): SupervisedNode {
    const { systemFile, drainMs, nodeLog, quietStdout, log, silenceMaxMs = silenceDefaultMs } = this.#options;
    const { measured, drills = false } = this.#options;
    return new SupervisedNode({
      settings: { node: id, systemFile, drainMs, log: nodeLog, drills, ...(measured && { measured }) },
      quietStdout,
      log,
      silenceMaxMs,
      isStoreLocked: () => this.#isStoreLocked(),
      onLoaded: (node, system) => (this.#started ? this.#startAgain(node, system) : this.#loaded.resolve(system)),
      onTerminated: (node) => {
        this.#terminations = this.#terminations.then(() => this.#terminated(node));
      },
      isStopping: () => this.#isEnding,
      onReady: (node, urls) => this.#served(node, urls),
      onConnection: (adapter, connection) => this.#connections.pass(adapter, connection),
      endLease: (node, incarnation) => this.#endLease(node, incarnation),
      onGivenUp: (node, error) => this.#gaveUp(node, error),
    });
  }

  /** Each process loads the system file anew, so this is where a new release comes in. */
  #startAgain(node: SupervisedNode, system: SystemFacts): void {
    const { adapters } = this.#place!.system;
    if (!isDeepStrictEqual(system.adapters, adapters)) {
      const advice = "stop the system and start it again for that";
      this.#options.log.warn(`${node.id} has adapters other than those that the system was started with: ${advice}`);
    }
    this.#services = system.services;
    this.#startNode(node);
  }

  #startNode(node: SupervisedNode): void {
    for (const [adapter, { host, port, handle }] of this.#sockets.entries()) {
      node.child.tell({ type: "hold", host, port }, handle);
      node.child.tell({ type: "listen", adapter, host, port }, handle);
    }
    node.start(storeUrl(this.#place!.location), this.#nodes.filter(({ runs }) => runs).length);
  }

  /**
   * Who ends everything tells all processes so, nodes and supervisor (systemd does): then it is a stop, and doors come first.
   * A node that is told to end alone is handed over, and comes back: it is `synod drain` that keeps one down.
   */
  async #terminated(node: SupervisedNode): Promise<void> {
    await pause(ownSignalMaxMs);
    if (this.#isEnding) return;
    const { log } = this.#options;
    log.warn(`${node.id} was told to end (SIGTERM): restarting it`);
    await this.#plannedWork.restart(node.id).catch((error: unknown) => {
      if (!this.#isEnding) log.warn(`${node.id} was not restarted`, { error: String(error) });
    });
  }

  #served(node: SupervisedNode, urls: readonly string[]): void {
    this.#connections.passWaiting();
    if (this.#isReady) this.#options.log.info(`${node.id} serves again`, { incarnation: node.incarnation });
    if (this.#isReady || this.#nodes.some(({ state }) => state !== "ready")) return;
    this.#isReady = true;
    this.#ready.resolve(urls);
  }

  /** As long as there are others, one node less is no reason to stop. */
  #gaveUp({ id }: SupervisedNode, error: SynodError): void {
    this.#loaded.reject(error);
    this.#ready.reject(error);
    if (this.#isReady && this.#nodes.some(({ runs }) => runs)) {
      const advice = `mend what is wrong, then \`synod restart ${id}\``;
      this.#options.log.error(`${id} is given up, the others go on: ${error.message} (${advice})`);
      return;
    }
    // A system that cannot be loaded fails `prepare`, which cleans up itself.
    if (this.#started) void this.stop(this.#options.drainMs, error);
  }

  async #bind({ adapters, name }: SystemFacts): Promise<void> {
    if (this.#options.port !== undefined && adapters.length === 0) {
      throw new SynodError("invalid_argument", `System ${name} has no adapter that could take the port.`);
    }
    const patienceMs = ((await this.#store?.view())?.members.length ?? 0) > 0 ? formerRunMaxMs : 0;
    for (const [index, { host, port }] of adapters.entries()) {
      const wanted = index === 0 ? (this.#options.port ?? port) : port;
      this.#sockets.push(await this.#bindPatiently(host, wanted, patienceMs));
    }
  }

  /** A node that drains because its supervisor was killed frees its address soon. */
  async #bindPatiently(host: string, port: number, patienceMs: number): Promise<ListeningSocket> {
    const started = performance.now();
    for (;;) {
      try {
        return await bindSocket(host, port);
      } catch (error) {
        if (performance.now() - started > patienceMs || this.#isEnding) throw error;
        await pause(bindRetryMs);
      }
    }
  }

  /** Only of a file: nobody keeps all others from writing to a server. */
  async #isStoreLocked(): Promise<boolean> {
    if (this.#store === undefined || this.#place?.location.kind !== "sqlite") return false;
    return await isLocked(this.#store);
  }

  async #endLease(node: string, incarnation: number): Promise<void> {
    if (!this.#store) return;
    await endLeaseOf(
      { node, incarnation },
      {
        store: this.#store,
        log: this.#options.log,
        refreshOthers: () => {
          for (const other of this.#nodes) if (other.id !== node) other.refresh();
        },
        isStopping: () => this.#isEnding,
      },
    );
  }

  async #stop(drainMs: number, reason: SynodError | undefined): Promise<void> {
    const stopped = new SynodError("cancelled", "the system was stopped before it served");
    this.#loaded.reject(stopped);
    this.#ready.reject(stopped);
    this.#connections.close();
    this.#strikes.end();
    const started = performance.now();
    const leftMs = (): number => Math.max(0, drainMs - (performance.now() - started));
    await this.#closeDoors(doorsMs(drainMs - killReserveMs));
    const nodesMs = Math.max(0, leftMs() - killReserveMs);
    const drained = Promise.all(this.#nodes.map((node) => node.stop(nodesMs)));
    if (!(await within(drained, leftMs()))) {
      this.kill();
      await drained;
    }
    for (const socket of this.#sockets) socket.close();
    await this.#store?.close();
    this.#lock?.release();
    this.#ended.resolve(reason);
  }

  /** No node may leave while another still has a call for its keys: nobody would take them over any more. */
  async #closeDoors(drainMs: number): Promise<void> {
    const serving = this.#nodes.filter(({ state }) => state === "ready");
    await Promise.all(serving.map(({ child }) => child.ask("closeDoors", { drainMs }, drainMs).catch(() => {})));
  }
}

function alreadyRunning({ system, store }: SupervisedPlace): SynodError {
  return new SynodError(
    "failed_precondition",
    `System ${system.name} is already running on ${store}: stop that one, look at it with \`synod status\`, or choose another store with --store.`,
  );
}
