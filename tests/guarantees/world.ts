/**
 * A small world for one test: one database, any number of nodes on it, each with a connection and a clock of its
 * own, and virtual time that passes for all of them alike (but for those that are paused).
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MemoryDatabase } from "../../src/adapters/memory/database.ts";
import { createMemoryDatabase, openMemoryStore } from "../../src/adapters/memory/store.ts";
import { openPostgresStore } from "../../src/adapters/postgres/store.ts";
import { openSqliteStore } from "../../src/adapters/sqlite/store.ts";
import type { GatewayReply } from "../../src/ports/gateway.ts";
import type { Log } from "../../src/ports/log.ts";
import type { Random } from "../../src/ports/random.ts";
import type { Store } from "../../src/ports/store.ts";
import type { NodeLimits } from "../../src/runtime/limits.ts";
import { type NodeOptions, type RunningNode, startNode } from "../../src/runtime/node.ts";
import type { AnySystem } from "../../src/service/model.ts";
import { hash32 } from "../../src/values/hash32.ts";
import { createPrng } from "../../src/values/prng.ts";
import { FaultNetwork } from "./fault-network.ts";
import { FaultStore } from "./fault-store.ts";
import { VirtualClock } from "./virtual-clock.ts";

export type StoreKind = "memory" | "sqlite" | "postgres";
export const storeKinds: readonly StoreKind[] = ["memory", "sqlite", "postgres"];

/** Turns of the event loop without any work after which nothing more comes of itself. */
const quietTurns = 4;
const anyAddress = "memory:0";

/** One call, as a test says it. */
export interface Ask {
  readonly service?: string;
  readonly key?: string;
  readonly input?: unknown;
  /** The idempotency key. */
  readonly id?: string;
  readonly principal?: string;
  /** Whose call it is for the queue, where that is not the principal. */
  readonly caller?: string;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly waitFor?: "acceptance";
  readonly existing?: { readonly inputHash: string };
  readonly traceparent?: string;
}

/** A call that was made, and its answer when there is one. */
export interface Asked extends Promise<string> {
  /** The answer in words, as {@link inWords} says it; undefined as long as there is none. */
  readonly answer: string | undefined;
}

/** A logged sentence. */
export interface Sentence {
  readonly level: keyof Log;
  readonly message: string;
  readonly fields?: Record<string, unknown>;
}

export interface StartOptions {
  readonly system: AnySystem;
  readonly node?: string;
  readonly limits?: Partial<NodeLimits>;
  readonly onJoined?: NodeOptions["onJoined"];
  /** Gives the node an address and links to the others. */
  readonly linked?: boolean;
}

export class World implements AsyncDisposable {
  readonly nodes: TestNode[] = [];
  readonly network = new FaultNetwork();
  /** In real time: a world that does not settle is a defect. */
  settleMaxMs = 10_000;
  /** What a memory database holds, to be looked at. */
  readonly database: MemoryDatabase | undefined;
  readonly #open: () => Promise<Store>;
  readonly #cleanUp: () => void | Promise<void>;
  readonly #stores: Store[] = [];

  private constructor(open: () => Promise<Store>, cleanUp: () => void | Promise<void>, database?: MemoryDatabase) {
    this.#open = open;
    this.#cleanUp = cleanUp;
    this.database = database;
  }

  /** A world with an empty database. Few shards: every one is looked at often. */
  static create(kind: StoreKind = "memory", shardsPerService = 4): World {
    if (kind === "memory") {
      const database = createMemoryDatabase({ system: "test", shardsPerService });
      return new World(
        async () => openMemoryStore(database),
        () => {},
        database,
      );
    }
    if (kind === "postgres") {
      const database = once(async () => await (await import("../postgres/databases.ts")).createDatabase());
      return new World(
        async () => openPostgresStore({ url: (await database()).url, system: "test", shardsPerService }),
        async () => await (await database())[Symbol.asyncDispose](),
      );
    }
    const folder = mkdtempSync(join(tmpdir(), "synod-guarantees-"));
    return new World(
      () => openSqliteStore({ path: join(folder, "store.db"), system: "test", shardsPerService }),
      () => rmSync(folder, { recursive: true, force: true }),
    );
  }

  /** A connection without faults, to look behind a node's back. */
  async connect(): Promise<Store> {
    const store = await this.#open();
    this.#stores.push(store);
    return store;
  }

  /** Starts a node and waits until it serves. */
  async start(options: StartOptions): Promise<TestNode> {
    const node = await this.begin(options);
    await this.until(node.started);
    return node;
  }

  /** Starts a node without waiting. */
  async begin(options: StartOptions): Promise<TestNode> {
    const node = new TestNode(this, new FaultStore(await this.connect()), options);
    this.nodes.push(node);
    return node;
  }

  /** Waits until nothing more happens without time passing. */
  async settle(): Promise<void> {
    const deadline = performance.now() + this.settleMaxMs;
    for (let quiet = 0; quiet < quietTurns; ) {
      // Another thread may be at work: looking again and again would only take its time.
      for (const { store } of this.nodes) await store.quiet();
      await new Promise((resolve) => setImmediate(resolve));
      quiet = this.network.busy || this.nodes.some(({ busy }) => busy) ? 0 : quiet + 1;
      if (performance.now() > deadline) throw new Error(`the world did not settle within ${this.settleMaxMs} ms`);
    }
  }

  /** Lets time pass, firing every timer at its instant. */
  async advance(ms: number): Promise<void> {
    await this.settle();
    for (let left = ms; left > 0; ) {
      const running = this.nodes.filter(({ paused }) => !paused);
      const step = Math.min(left, ...running.map(({ clock }) => clock.untilNextTimerMs));
      left -= step;
      for (const { clock } of this.nodes) clock.pass(step);
      for (const { clock } of running) clock.fireDue();
      await this.settle();
    }
  }

  /** Lets time pass until the promise has settled. */
  async until<T>(promise: Promise<T>, withinMs: number = 60_000): Promise<T> {
    let settled = false;
    const watched = promise.finally(() => {
      settled = true;
    });
    watched.catch(() => {});
    await this.settle();
    for (let passed = 0; !settled; passed += 50) {
      if (passed > withinMs) throw new Error(`not within ${withinMs} ms of virtual time`);
      await this.advance(50);
    }
    return watched;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.nodes) await node.dispose();
    for (const store of this.#stores) await store.close();
    await this.#cleanUp();
  }
}

export class TestNode {
  readonly store: FaultStore;
  readonly clock = new VirtualClock();
  readonly log: Sentence[] = [];
  /** Resolves when the node serves. */
  readonly started: Promise<RunningNode>;
  paused = false;
  readonly name: string;
  readonly system: AnySystem;
  readonly #world: World;
  #resume: () => void = () => {};
  #running: RunningNode | undefined;

  constructor(world: World, store: FaultStore, options: StartOptions) {
    const { system, node = "node-1", limits = {}, onJoined, linked = false } = options;
    this.name = node;
    this.system = system;
    this.#world = world;
    this.store = store;
    this.started = startNode({
      node,
      system,
      store,
      clock: this.clock,
      random: seededRandom(node),
      log: listTo(this.log),
      limits,
      ...(onJoined && { onJoined }),
      ...(linked && { network: { network: world.network.of(node), listen: anyAddress } }),
    });
    this.started.then(
      (running) => {
        this.#running = running;
      },
      () => {},
    );
  }

  get running(): RunningNode {
    if (this.#running === undefined) throw new Error("the node has not started");
    return this.#running;
  }

  get busy(): boolean {
    return this.store.busy || this.clock.busy;
  }

  /** Asks the service "counter" unless told otherwise; the promise never rejects. */
  ask(operation: string, ask: Ask = {}): Asked {
    const { service = "counter", key = service === "counter" ? "a" : undefined, input, id, ...rest } = ask;
    const reply = this.running.gateway.call({
      service,
      operation,
      ...(key !== undefined && { key }),
      ...(input !== undefined && { input: JSON.stringify(input) }),
      ...(id !== undefined && { idempotencyKey: id }),
      principal: "tester",
      ...rest,
    });
    let answer: string | undefined;
    const words = reply.then((settled) => {
      answer = inWords(settled);
      return answer;
    });
    return Object.defineProperty(words, "answer", { get: () => answer }) as Asked;
  }

  /** Asks and lets time pass until there is an answer. */
  answer(operation: string, ask: Ask = {}): Promise<string> {
    return this.#world.until(this.ask(operation, ask));
  }

  /** Asks and gives the whole reply. */
  reply(operation: string, { service = "counter", key = "a", input, id, timeoutMs }: Ask = {}): Promise<GatewayReply> {
    return this.#world.until(
      this.running.gateway.call({
        service,
        key,
        operation,
        principal: "tester",
        timeoutMs,
        ...(input !== undefined && { input: JSON.stringify(input) }),
        ...(id !== undefined && { idempotencyKey: id }),
      }),
    );
  }

  /** The process stops running: its calls reach nobody, nothing reaches it, its timers do not fire. */
  pause(): void {
    this.paused = true;
    const methods = ["join", "renew", "claim", "release", "endLease", "read", "commit", "trim"] as const;
    const holds = methods.flatMap((method) => [this.store.hold(method), this.store.hold(method, "answers")]);
    this.#world.network.freeze(this.name);
    this.#resume = () => {
      for (const hold of holds) hold.release();
      this.#world.network.thaw(this.name);
    };
  }

  /** The process runs again; it finds its clocks ahead by as long as it was paused. */
  resume(): void {
    this.paused = false;
    this.#resume();
  }

  /** Ends the process without a word: nothing of it reaches the store any more. */
  kill(): void {
    this.pause();
    this.#world.network.crash(this.name);
  }

  async stop(drainMs: number = 1_000): Promise<void> {
    await this.#world.until(this.running.stop(drainMs));
  }

  async dispose(): Promise<void> {
    if (this.paused) this.resume();
    const stopped = this.started.then(
      (running) => running.stop(0),
      () => {},
    );
    await this.#world.until(stopped);
  }

  logged(pattern: RegExp): boolean {
    return this.log.some(({ message }) => pattern.test(message));
  }
}

function once<Made>(make: () => Promise<Made>): () => Promise<Made> {
  let made: Promise<Made> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** `5`; `5 (replayed)`; `declined {"left":1} (declared)`; `unavailable (unknown)`. */
function inWords(reply: GatewayReply): string {
  const replayed = reply.replayed ? " (replayed)" : "";
  if (reply.ok) return `${reply.output ?? "done"}${replayed}`;
  const { code, declared, data, outcome } = reply.error;
  return declared ? `${code} ${data ?? ""} (declared)${replayed}` : `${code} (${outcome})${replayed}`;
}

function listTo(sentences: Sentence[]): Log {
  const add = (level: keyof Log) => (message: string, fields?: Record<string, unknown>) => {
    sentences.push({ level, message, ...(fields !== undefined && { fields }) });
  };
  return { debug: add("debug"), info: add("info"), warn: add("warn"), error: add("error") };
}

function seededRandom(seed: string): Random {
  const generator = createPrng(hash32(seed));
  return {
    bytes: (length) => Uint8Array.from({ length }, () => generator.below(256)),
    number: () => generator.number(),
  };
}
