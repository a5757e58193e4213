/** A node: one process of a system, from joining the membership to leaving it. */
import { invariant, SynodError, toSynodError } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { Gateway } from "../ports/gateway.ts";
import type { Log } from "../ports/log.ts";
import type { Random } from "../ports/random.ts";
import type { Store } from "../ports/store.ts";
import type { AnySystem } from "../service/model.ts";
import { Committer } from "./committer.ts";
import { EntityMemory } from "./entity-memory.ts";
import { type Environment, newCounters } from "./environment.ts";
import { NodeGateway } from "./gateway.ts";
import { inspectEntity } from "./inspection.ts";
import { LeaseGuard } from "./lease-guard.ts";
import { defaultLimits, type NodeLimits } from "./limits.ts";
import { Membership } from "./membership.ts";
import { Reader } from "./reader.ts";
import { RecordCache } from "./record-cache.ts";
import { Retention } from "./retention.ts";
import { Router } from "./router.ts";
import type { Shard } from "./shard.ts";
import { Shards } from "./shards.ts";

export interface NodeOptions {
  /** Name of the node, unique in the system: `node-1`. */
  readonly node: string;
  readonly system: AnySystem;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly limits?: Partial<NodeLimits>;
  /** Called as soon as the store has admitted the node, so that a supervisor can end its lease. */
  readonly onJoined?: (incarnation: number) => void;
}

/** A node's own figures, for `synod status`. */
export interface NodeStatus {
  readonly node: string;
  readonly incarnation: number;
  readonly state: Gateway["state"];
  readonly shardsOwned: number;
  readonly entitiesInMemory: number;
  readonly memoryBytes: number;
  readonly callsInFlight: number;
  /** Since the start. */
  readonly commands: number;
  readonly queries: number;
  readonly commits: number;
  readonly commandsPerCommit: number;
}

/** One entity, for `synod inspect`. */
export interface EntityInspection {
  readonly service: string;
  readonly key: string;
  readonly shard: number;
  readonly owner: string | null;
  readonly epoch: number;
  readonly version: number;
  readonly stateVersion: number;
  /** The durable state; the initial state when `version` is 0. */
  readonly state: unknown;
  readonly active: boolean;
  readonly queued: number;
}

export interface RunningNode {
  readonly incarnation: number;
  readonly gateway: Gateway;
  status(): NodeStatus;
  inspect(service: string, key: string): Promise<EntityInspection>;
  /** Finishes what it accepted (for `drainMs` at the most), flushes, gives its shards up and leaves. */
  stop(drainMs: number): Promise<void>;
  /** Resolves when the node has stopped: with the reason when it had to. */
  readonly stopped: Promise<SynodError | undefined>;
}

/** Starts a node; resolves when it serves. Rejects, having left again, when it cannot. */
export async function startNode(options: NodeOptions): Promise<RunningNode> {
  const node = new Node(options);
  await node.start();
  return node;
}

class Node implements RunningNode {
  readonly #environment: Environment;
  readonly #onJoined: ((incarnation: number) => void) | undefined;
  readonly #shards: Shards;
  readonly #membership: Membership;
  readonly #router: Router;
  readonly #retention: Retention;
  readonly gateway: NodeGateway;
  #committer: Committer | null = null;
  #stopping: Promise<void> | null = null;
  readonly stopped: Promise<SynodError | undefined>;
  #reportStopped: (reason: SynodError | undefined) => void = () => {};

  constructor(options: NodeOptions) {
    const { node, system, store, clock, random, log } = options;
    const limits = { ...defaultLimits, ...options.limits };
    this.#environment = {
      node,
      system,
      store,
      clock,
      random,
      log,
      limits,
      lease: new LeaseGuard(clock, limits),
      reader: new Reader(store, clock),
      records: new RecordCache(limits.recordCacheLengthMax),
      memory: new EntityMemory(limits.entityMemoryBytesMax),
      counters: newCounters(),
      queryRuns: new Set(),
    };
    this.#onJoined = options.onJoined;
    this.stopped = new Promise((resolve) => {
      this.#reportStopped = resolve;
    });
    this.#shards = new Shards(system, store.identity.shardsPerService);
    this.#membership = new Membership(this.#environment, this.#shards, {
      joined: (incarnation) => this.#joined(incarnation),
      ended: () => this.#disownAll("this node's lease was ended"),
    });
    this.#router = new Router(this.#environment, this.#shards, () => this.#currentCommitter());
    this.#retention = new Retention(this.#environment, this.#shards, this.#membership, {
      uncertain: (shard) => this.#reclaim(shard),
    });
    this.gateway = new NodeGateway(this.#environment, this.#router);
  }

  get incarnation(): number {
    return this.#membership.incarnation;
  }

  async start(): Promise<void> {
    try {
      await this.#membership.start();
    } catch (error) {
      await this.#abort();
      throw toSynodError(error, "not-happened");
    }
    this.#retention.start();
    if (this.gateway.state === "starting") this.gateway.state = "ready";
  }

  status(): NodeStatus {
    const { node, counters, memory } = this.#environment;
    const { commands, queries, commits, committedCommands } = counters;
    return {
      node,
      incarnation: this.incarnation,
      state: this.gateway.state,
      shardsOwned: this.#shards.owned.length,
      entitiesInMemory: this.#shards.activationsLength,
      memoryBytes: memory.bytes,
      callsInFlight: this.gateway.callsInFlight,
      commands,
      queries,
      commits,
      commandsPerCommit: commits === 0 ? 0 : committedCommands / commits,
    };
  }

  inspect(service: string, key: string): Promise<EntityInspection> {
    return inspectEntity(this.#environment, this.#shards, this.#membership, service, key);
  }

  stop(drainMs: number): Promise<void> {
    this.#stopping ??= this.#stop(drainMs, undefined);
    return this.#stopping;
  }

  /** Finish, flush, release: calls end, what they left becomes durable, then the lease is given up. */
  async #stop(drainMs: number, reason: SynodError | undefined): Promise<void> {
    this.gateway.state = "draining";
    this.#membership.drain();
    this.#retention.stop();
    await this.#atMost(drainMs, this.gateway.idle());
    this.gateway.state = "stopped";
    this.#router.close();
    await this.#atMost(drainMs, this.#committer?.whenIdle() ?? Promise.resolve());
    const { lease, limits, queryRuns } = this.#environment;
    lease.ended();
    this.#disownAll("this node has stopped");
    for (const end of [...queryRuns]) end();
    await this.gateway.idle();
    // After a TTL the lease has run out by itself.
    await this.#atMost(limits.leaseTtlMs, this.#leave());
    this.#reportStopped(reason);
  }

  async #leave(): Promise<void> {
    try {
      await this.#membership.leave();
    } catch (error) {
      this.#environment.log.warn("the lease could not be given up: others wait until it runs out", { error });
    }
  }

  /** The start failed: nothing was served, and nothing of this node stays behind. */
  async #abort(): Promise<void> {
    this.#stopping ??= this.#stop(0, undefined);
    await this.#stopping;
  }

  /** The store must not be used again (rule S6): no answer leaves, and the process had better end. */
  #broken(error: SynodError): void {
    this.#environment.log.error("the store is broken: this node stops", { error });
    this.#stopping ??= this.#stop(0, error);
  }

  #joined(incarnation: number): void {
    this.#committer?.close();
    this.#environment.records.clear();
    this.#committer = new Committer(this.#environment, incarnation, {
      shard: (id) => this.#shards.get(id),
      lostShard: () => this.#membership.poke(),
      ended: () => {
        this.#environment.lease.ended();
        this.#disownAll("this node's lease was ended");
        this.#membership.poke();
      },
      broken: (error) => this.#broken(error),
    });
    this.#onJoined?.(incarnation);
  }

  #currentCommitter(): Committer {
    invariant(this.#committer !== null, "a node commits only after it joined");
    return this.#committer;
  }

  #disownAll(why: string): void {
    const reason = new SynodError("unavailable", why, { retryAfterMs: 100 });
    for (const shard of this.#shards) this.#committer?.disown(shard, reason);
  }

  #reclaim(shard: Shard): void {
    this.#committer?.disown(shard, new SynodError("unavailable", "the shard is claimed again", { retryAfterMs: 100 }));
    this.#membership.poke();
  }

  async #atMost(ms: number, work: Promise<void>): Promise<void> {
    const { clock } = this.#environment;
    await new Promise<void>((resolve) => {
      const timer = clock.setTimer(ms, resolve);
      void work.then(() => {
        timer.cancel();
        resolve();
      });
    });
  }
}
