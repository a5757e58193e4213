/**
 * One node with everything around it: its connection to the store before, its inbound adapters behind. The
 * node process of a supervisor and a system inside somebody's own process are both this.
 */
import { createMeters } from "../adapters/meters/hdr.ts";
import { systemClock } from "../adapters/system/clock.ts";
import { watchProcess } from "../adapters/system/process-figures.ts";
import { systemRandom } from "../adapters/system/random.ts";
import type { NodeMeters } from "../admin/target.ts";
import type { SynodError } from "../errors.ts";
import type { ConnectionHandle, InboundAdapter, ListenTarget, PassOn, RunningAdapter } from "../ports/gateway.ts";
import type { Log } from "../ports/log.ts";
import type { Meters, Traffic } from "../ports/meters.ts";
import type { Store } from "../ports/store.ts";
import type { NodeLimits } from "../runtime/limits.ts";
import { type NodeNetwork, type NodeStatus, type RunningNode, startNode } from "../runtime/node.ts";
import type { AnySystem } from "../service/model.ts";
import { type NodeCounts, nodeCounts } from "./availability/requests.ts";
import { awaitFreeName } from "./former-member.ts";
import { openStore, type StoreLocation, storePatienceMs } from "./store-location.ts";
import { within } from "./within.ts";

export interface HostedNodeOptions {
  /** Name of the node, unique in the system: `node-1`. */
  readonly node: string;
  readonly system: AnySystem;
  readonly store: StoreLocation;
  readonly log: Log;
  readonly adapters: readonly InboundAdapter[];
  /** Where adapters listen instead of at their own addresses, in the order of the adapters. */
  readonly listen?: readonly ListenTarget[];
  readonly limits?: Partial<NodeLimits>;
  /** Where other nodes reach this one; absent for a node on its own. */
  readonly network?: NodeNetwork;
  /** How many members a start waits for, for a moment. */
  readonly expectedMembers?: number;
  readonly onJoined?: (incarnation: number) => void;
  /** Ends the waiting for a store that cannot be reached. */
  readonly givesUp?: AbortSignal;
  /** What a node that takes part in drills has instead of its store. */
  readonly faultyStore?: (store: Store) => Store;
  /** Whether a member of this node's name that is not about to leave must be dead; otherwise it is watched first. */
  readonly nameIsOwn?: boolean;
}

/** How idle connections of an adapter, by its index, are passed on. */
export type PassOnOf = (adapter: number) => PassOn;

export interface HostedNode {
  readonly node: RunningNode;
  /** Where the adapters answer, in the order of the adapters. */
  readonly urls: readonly string[];
  /** What it has done since its start, and what it consumes. */
  meters(): NodeMeters;
  /** The little of it that the availability meter looks at. */
  counts(): NodeCounts;
  /** Takes no new calls from outside; resolves when those that came in are answered, or the time is over. */
  closeDoors(drainMs: number): Promise<void>;
  /** Goes on with an idle connection that another node's adapter of that index passed on. */
  adopt(adapter: number, connection: ConnectionHandle): void;
  /** Takes no new calls, finishes what it accepted (for `drainMs` at the most) and frees everything. */
  stop(drainMs: number, passOnOf?: PassOnOf): Promise<void>;
  /** Resolves when the node has stopped: with the reason when it had to. */
  readonly stopped: Promise<SynodError | undefined>;
}

/** Of the time for a drain, the part that is kept for the node to flush and to leave. */
const leavePart = 0.2;

/** Resolves when the node serves and all adapters answer; otherwise frees what it had opened. */
export async function hostNode(options: HostedNodeOptions): Promise<HostedNode> {
  const { givesUp } = options;
  const patience = { forMs: storePatienceMs, ...(givesUp && { signal: givesUp }) };
  const opened = await openStore(options.store, options.system.name, { log: options.log, patience });
  const store = options.faultyStore?.(opened) ?? opened;
  const meters = createMeters();
  const node = await start(store, meters, options).catch(async (error: unknown) => {
    await store.close();
    throw error;
  });
  const adapters: RunningAdapter[] = [];
  const consumption = watchProcess();
  const stop = once(async (drainMs, passOnOf) => {
    await stopAll({ store, node, adapters, drainMs, passOnOf });
    consumption.close();
  });
  try {
    for (const [index, adapter] of options.adapters.entries()) {
      const listen = options.listen?.[index];
      adapters.push(await adapter.start({ gateway: node.gateway, log: options.log, ...(listen && { listen }) }));
    }
  } catch (error) {
    await stop(0);
    throw error;
  }
  const closeDoors = async (drainMs: number): Promise<void> => {
    await within(Promise.all(adapters.map((adapter) => adapter.drain())), drainMs);
  };
  const read = (): NodeMeters => {
    const status = node.status();
    return {
      node: options.node,
      operations: meters.read(),
      process: consumption.read(),
      network: trafficOf(adapters, status),
      status,
    };
  };
  const counts = (): NodeCounts => nodeCounts(options.node, meters.readAnswers(), node.status().keyUptime);
  const urls = adapters.map((adapter) => adapter.url);
  const adopt = (index: number, connection: ConnectionHandle): void => {
    const adapter = adapters[index];
    if (adapter?.adopt) adapter.adopt(connection);
    else connection.close();
  };
  return { node, urls, meters: read, counts, closeDoors, adopt, stop, stopped: node.stopped };
}

/** Of the links, and of what adapters have told. */
function trafficOf(adapters: readonly RunningAdapter[], { linkTraffic }: NodeStatus): Traffic {
  const own = adapters.map((adapter) => adapter.traffic?.() ?? { receivedBytes: 0, sentBytes: 0 });
  const all = [...own, linkTraffic];
  return {
    receivedBytes: all.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0),
    sentBytes: all.reduce((sum, { sentBytes }) => sum + sentBytes, 0),
  };
}

async function start(store: Store, meters: Meters, options: HostedNodeOptions): Promise<RunningNode> {
  await awaitFreeName(store, options.node, options.nameIsOwn === true, options.log);
  return await startNode({
    node: options.node,
    system: options.system,
    store,
    clock: systemClock,
    random: systemRandom,
    log: options.log,
    meters,
    ...(options.limits && { limits: options.limits }),
    ...(options.network && { network: options.network }),
    ...(options.expectedMembers !== undefined && { expectedMembers: options.expectedMembers }),
    ...(options.onJoined && { onJoined: options.onJoined }),
  });
}

interface Stop {
  readonly store: Store;
  readonly node: RunningNode;
  readonly adapters: readonly RunningAdapter[];
  readonly drainMs: number;
  readonly passOnOf: PassOnOf | undefined;
}

/**
 * The doors first: what is inside is answered while the node still serves. What is not answered in time is
 * abandoned by the node, which still answers it with a known outcome before the adapters cut the rest.
 */
async function stopAll({ store, node, adapters, drainMs, passOnOf }: Stop): Promise<void> {
  const started = performance.now();
  const doorsMs = drainMs * (1 - leavePart);
  // Shards move meanwhile: what is still inside finds them at their next owners.
  const doors = adapters.map((adapter, index) => adapter.drain(passOnOf?.(index)));
  await within(Promise.all([node.drain(doorsMs), ...doors]), doorsMs);
  await node.stop(Math.max(0, drainMs - (performance.now() - started)));
  await Promise.all(adapters.map((adapter) => adapter.close()));
  await store.close();
}

/** A stop that is asked for again is the same stop. */
function once(stop: HostedNode["stop"]): HostedNode["stop"] {
  let stopping: Promise<void> | undefined;
  return (drainMs, passOnOf) => (stopping ??= stop(drainMs, passOnOf));
}
