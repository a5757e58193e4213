/** A node: one process of a system, from joining the membership to leaving it. */

import type { BreakerState } from "../core/load/breaker.ts";
import { invariant, SynodError, toSynodError } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { Gateway, GatewayReply } from "../ports/gateway.ts";
import type { Log } from "../ports/log.ts";
import { type Meters, noMeters, type Traffic } from "../ports/meters.ts";
import type { Network } from "../ports/network.ts";
import type { Random } from "../ports/random.ts";
import type { Store } from "../ports/store.ts";
import type { AnySystem } from "../service/model.ts";
import { hashParts } from "../values/hash.ts";
import type { Activation } from "./activation.ts";
import { Committer } from "./committer.ts";
import { Deadlines } from "./deadlines.ts";
import { EntityMemory } from "./entity-memory.ts";
import { type Environment, newCounters, within } from "./environment.ts";
import { NodeGateway } from "./gateway.ts";
import { HandlerWatch } from "./handler-watch.ts";
import { Handoffs } from "./handoffs.ts";
import { holdingsOf, type NodeHoldings } from "./holdings.ts";
import { InboundCalls } from "./inbound-calls.ts";
import { inspectEntity } from "./inspection.ts";
import type { Invocation } from "./invocation.ts";
import type { KeyUptimeFigures } from "./key-uptime.ts";
import { LeaseGuard } from "./lease-guard.ts";
import { defaultLimits, type NodeLimits } from "./limits.ts";
import { Links } from "./links/links.ts";
import type { LinkStatistics } from "./links/statistics.ts";
import { type LoadStatus, NodeLoad } from "./load.ts";
import { Membership } from "./membership.ts";
import { NodeMessages } from "./messages/node-messages.ts";
import { OperationMeters } from "./operation-meters.ts";
import { Operators, type WorkAction } from "./operators.ts";
import { PeerCalls } from "./peer-calls.ts";
import {
  type EntityWorkReport,
  readWork,
  readWorkDetails,
  type WorkDetails,
  type WorkPage,
  type WorkQuery,
} from "./pending-work.ts";
import { Reader } from "./reader.ts";
import { RecordCache } from "./record-cache.ts";
import { Resumption } from "./resumption.ts";
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
  /** Where it says what it did; nowhere if absent. */
  readonly meters?: Meters;
  readonly limits?: Partial<NodeLimits>;
  /** How other nodes are reached; absent for a node on its own. */
  readonly network?: NodeNetwork;
  /** How many members a start waits for (about a second at the most) before shards are claimed. */
  readonly expectedMembers?: number;
  /** Called as soon as the store has admitted the node, so that a supervisor can end its lease. */
  readonly onJoined?: (incarnation: number) => void;
}

export interface NodeNetwork {
  readonly network: Network;
  /** `HOST:PORT` to listen on; port 0 takes a free one. */
  readonly listen: string;
  /** The address that other nodes are told, where it is another one than that of `listen`. */
  readonly advertise?: string;
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
  readonly keyUptime: KeyUptimeFigures;
  readonly load: LoadStatus;
  /** Messages of its shards that are neither delivered nor parked. */
  readonly messagesPending: number;
  /** Since the start. */
  readonly commands: number;
  readonly queries: number;
  readonly commits: number;
  readonly commandsPerCommit: number;
  /** The longest wait of a heartbeat since the node joined: half a lease's length is cause for concern. */
  readonly heartbeatWorstMs: number;
  /** Where other nodes reach it; null for a node on its own. */
  readonly address: string | null;
  readonly members: readonly MemberStatus[];
  readonly links: readonly LinkStatistics[];
  /** What crossed its links since the start. */
  readonly linkTraffic: Traffic;
  /** Targets that gave no answers lately, by node and service: open, or half-open while one call tries. */
  readonly breakers: readonly BreakerStatus[];
}

export interface BreakerStatus {
  readonly node: string;
  readonly incarnation: number;
  readonly service: string;
  readonly state: BreakerState;
}

/** A member as this node sees it. */
export interface MemberStatus {
  readonly node: string;
  readonly incarnation: number;
  readonly address: string | null;
  readonly draining: boolean;
  readonly shardsOwned: number;
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
  /** The node that tells: whether it has the entity in its memory, and how many calls wait there. */
  readonly node: string;
  readonly active: boolean;
  readonly queued: number;
  readonly work: EntityWorkReport;
}

export interface RunningNode {
  readonly incarnation: number;
  readonly gateway: Gateway;
  status(): NodeStatus;
  /** What it holds of everything that has a bound. */
  holdings(): NodeHoldings;
  inspect(service: string, key: string): Promise<EntityInspection>;
  /** Durable commands and messages that are not finished, whoever owns them. */
  work(query: WorkQuery): Promise<WorkPage>;
  workDetails(id: string): Promise<WorkDetails>;
  /** Has a durable command or a message tried again, or takes it out, at whichever node owns it. */
  operate(id: string, action: WorkAction): Promise<void>;
  /** Looks at the membership now, because somebody knows that it has changed. */
  refresh(): void;
  /** Hands its shards to other members, if there are any, for `drainMs` at the most; goes on serving meanwhile. */
  drain(drainMs: number): Promise<void>;
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

/** After calls have ended: how long what they left may take to become durable. */
const flushMs = 1_000;

class Node implements RunningNode {
  readonly #environment: Environment;
  readonly #onJoined: ((incarnation: number) => void) | undefined;
  readonly #shards: Shards;
  readonly #membership: Membership;
  readonly #router: Router;
  readonly #retention: Retention;
  readonly #links: Links | null;
  readonly #peers: PeerCalls;
  readonly #handoffs: Handoffs;
  readonly #inbound: InboundCalls;
  readonly #resumption: Resumption;
  readonly #messages: NodeMessages;
  readonly #operators: Operators;
  readonly #network: NodeNetwork | undefined;
  #address: string | null = null;
  readonly gateway: NodeGateway;
  #committer: Committer | null = null;
  #stopping: Promise<void> | null = null;
  readonly stopped: Promise<SynodError | undefined>;
  #reportStopped: (reason: SynodError | undefined) => void = () => {};

  constructor(options: NodeOptions) {
    const { system, store, clock } = options;
    const environment = environmentOf(options);
    this.#environment = environment;
    this.#onJoined = options.onJoined;
    this.stopped = new Promise((resolve) => {
      this.#reportStopped = resolve;
    });
    this.#shards = new Shards(system, store.identity.shardsPerService, environment.limits);
    const shards = this.#shards;
    const membership = new Membership({
      environment,
      shards,
      expectedMembers: options.expectedMembers ?? 1,
      events: {
        joined: (incarnation) => this.#joined(incarnation),
        claimed: (claimed) => {
          const own = claimed.map((id) => shards.get(id));
          this.#messages.claimed(own);
          this.#resumption.claimed(own);
        },
        ended: () => this.#disownAll("this node's lease was ended"),
        changed: ({ members }) => {
          this.#links?.connectTo(members);
          this.#peers.conduct.keep(new Set(members.map(({ incarnation }) => incarnation)));
          this.#handoffs.consider();
          this.#router.viewChanged();
        },
        refused: (error) => this.#refused(error),
        endedLeases: () => void this.#peers.tellReleasedToAll(this.#membership.view.members),
      },
    });
    this.#membership = membership;
    this.#network = options.network;
    this.#links = options.network === undefined ? null : this.#makeLinks(options.network);
    const peers = new PeerCalls(this.#links, clock);
    this.#peers = peers;
    const committer = (): Committer => this.#currentCommitter();
    this.#router = new Router({ environment, shards, membership, peers, committer });
    const activate = (shard: Shard, key: string): Activation | undefined => this.#router.activate(shard, key);
    this.#resumption = new Resumption({ environment, activate });
    const dispatch = async (invocation: Invocation): Promise<GatewayReply> => this.#router.dispatch(invocation);
    const runHere = (invocation: Invocation): Promise<GatewayReply> => this.#router.runHere(invocation);
    this.#messages = new NodeMessages({ environment, shards, committer, dispatch, runHere });
    this.#operators = new Operators({ environment, shards, membership, peers, committer, activate });
    this.#inbound = new InboundCalls({ environment, membership, router: this.#router, operators: this.#operators });
    const tell = (incarnation: number): void => void peers.tellReleased(incarnation);
    this.#handoffs = new Handoffs({ environment, shards, membership, committer, tell });
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
      this.#address = await this.#listen();
      await this.#membership.start(this.#address);
    } catch (error) {
      await this.#abort();
      throw toSynodError(error, "not-happened");
    }
    this.#retention.start();
    this.#environment.handlers.start();
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
      keyUptime: this.gateway.keyUptime.read(),
      load: this.#environment.load.status(),
      messagesPending: this.#messages.pending,
      commands,
      queries,
      commits,
      commandsPerCommit: commits === 0 ? 0 : committedCommands / commits,
      heartbeatWorstMs: this.#membership.heartbeatWorstMs,
      address: this.#address,
      members: this.#memberStatus(),
      links: this.#links?.statistics() ?? [],
      linkTraffic: this.#links?.traffic ?? { receivedBytes: 0, sentBytes: 0 },
      breakers: this.#breakers(),
    };
  }

  holdings(): NodeHoldings {
    return holdingsOf(this.#environment, this.#shards, this.gateway);
  }

  #breakers(): readonly BreakerStatus[] {
    return this.#membership.view.members.flatMap(({ node, incarnation }) =>
      Object.entries(this.#peers.conduct.breakersOf(incarnation)).map(([service, state]) => ({
        ...{ node, incarnation, service, state },
      })),
    );
  }

  #memberStatus(): readonly MemberStatus[] {
    const { members, shards } = this.#membership.view;
    return members.map(({ node, incarnation, address, draining }) => {
      const shardsOwned = shards.filter(({ owner }) => owner === incarnation).length;
      return { node, incarnation, address, draining, shardsOwned };
    });
  }

  refresh(): void {
    this.#membership.poke();
  }

  async drain(drainMs: number): Promise<void> {
    if (this.gateway.state === "ready") this.gateway.state = "draining";
    const { clock } = this.#environment;
    const until = clock.monotonic() + drainMs;
    this.#membership.drain();
    await within(clock, drainMs, this.#membership.refresh());
    await within(clock, until - clock.monotonic(), this.#handoffs.settled());
  }

  inspect(service: string, key: string): Promise<EntityInspection> {
    return inspectEntity(this.#environment, this.#shards, this.#membership, service, key);
  }

  work(query: WorkQuery): Promise<WorkPage> {
    return readWork(this.#environment, query);
  }

  workDetails(id: string): Promise<WorkDetails> {
    return readWorkDetails(this.#environment, id);
  }

  operate(id: string, action: WorkAction): Promise<void> {
    return this.#operators.operateOn(id, action);
  }

  stop(drainMs: number): Promise<void> {
    this.#stopping ??= this.#stop(drainMs, undefined);
    return this.#stopping;
  }

  /** Finish, flush, release: calls end, what they left becomes durable, then the lease is given up. */
  async #stop(drainMs: number, reason: SynodError | undefined): Promise<void> {
    const { clock } = this.#environment;
    const until = clock.monotonic() + drainMs;
    const leftMs = (): number => until - clock.monotonic();
    this.#retention.stop();
    await this.drain(drainMs);
    this.#handoffs.stop();
    await within(clock, leftMs(), this.gateway.idle());
    await within(clock, leftMs(), this.#inbound.answered());
    this.#membership.stopClaiming();
    this.gateway.state = "stopped";
    this.#router.close();
    for (const { activations } of this.#shards) for (const activation of activations.values()) void activation.leave();
    this.#environment.load.close();
    await within(clock, Math.max(leftMs(), flushMs), this.#committer?.whenIdle() ?? Promise.resolve());
    const { lease, limits, queryRuns, handlers } = this.#environment;
    lease.ended();
    handlers.stop();
    this.#messages.stop();
    this.#disownAll("this node has stopped");
    for (const end of [...queryRuns]) end();
    // The links stay: others are told over them that this node leaves.
    this.#links?.abandonCalls("this node has stopped");
    // Whatever an answer may still wait for: a node that has to stop does.
    await within(clock, flushMs, this.gateway.idle());
    // After a TTL the lease has run out by itself.
    await within(clock, limits.leaseTtlMs, this.#leave());
    await this.#links?.close("the node has stopped");
    this.#reportStopped(reason);
  }

  async #leave(): Promise<void> {
    try {
      await this.#membership.leave();
    } catch (error) {
      this.#environment.log.warn("the lease could not be given up: others wait until it runs out", { error });
    }
    // Others learn that this node has left before its links close, so that none dials it in vain.
    await this.#peers.tellReleasedToAll(this.#membership.view.members);
  }

  async #listen(): Promise<string | null> {
    if (this.#network === undefined || this.#links === null) return null;
    const address = await this.#links.listen(this.#network.listen);
    return this.#network.advertise ?? address;
  }

  #makeLinks({ network }: NodeNetwork): Links {
    const { node, system, store, clock, random, log } = this.#environment;
    // Whoever may open the store is one of us: its secret is what nodes prove to each other that they have.
    const secret = new TextEncoder().encode(
      hashParts("links", Buffer.from(store.identity.secret).toString("base64url")),
    );
    return new Links({
      system: system.name,
      node,
      secret,
      network,
      clock,
      random,
      log,
      onCall: (call) => this.#inbound.answer(call),
      load: () => this.#environment.load.calls,
    });
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

  /** The store has become another one: what this process believes of it is void. */
  #refused(error: SynodError): void {
    this.#environment.log.error("the store does not admit this node again: it stops", { error });
    this.#stopping ??= this.#stop(0, error);
  }

  #joined(incarnation: number): void {
    this.#links?.identify(incarnation);
    this.#peers.identify(incarnation);
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
}

function environmentOf(options: NodeOptions): Environment {
  const { node, system, store, clock, random, log } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const meters = new OperationMeters(system, options.meters ?? noMeters);
  return {
    node,
    system,
    store,
    clock,
    deadlines: new Deadlines(clock),
    random,
    log,
    limits,
    meters,
    load: new NodeLoad(clock, meters, limits.load),
    lease: new LeaseGuard(clock, limits),
    reader: new Reader(store, clock),
    records: new RecordCache(limits.recordCacheLengthMax),
    memory: new EntityMemory({ bytesMax: limits.entityMemoryBytesMax, reserveBytesMax: limits.chainMemoryBytesMax }),
    handlers: new HandlerWatch(clock, log),
    counters: newCounters(),
    queryRuns: new Set(),
  };
}
