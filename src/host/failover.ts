/**
 * What a supervisor does for the keys of a node that it saw die: the lease is ended at once, so that nobody
 * has to watch it run out, and it is told in words who has taken over and how long that took.
 */
import type { Log } from "../ports/log.ts";
import type { ShardOwnership, Store, View } from "../ports/store.ts";
import { pause, within } from "./within.ts";

/** How long the store may take to end a dead node's lease before the node is started all the same. */
const endLeaseMaxMs = 2_000;
/** How often, and for how long, new owners are looked for. */
const lookIntervalMs = 20;
const lookMaxMs = 10_000;

export interface DeadNode {
  readonly node: string;
  readonly incarnation: number;
}

export interface FailoverOptions {
  readonly store: Store;
  readonly log: Log;
  /** Tells the other nodes that the membership has changed. */
  readonly refreshOthers: () => void;
  /** Whether everything is being stopped, so that nobody needs to take over. */
  readonly isStopping: () => boolean;
}

/** Resolves when the lease has ended, or cannot be ended now. */
export async function endLeaseOf(dead: DeadNode, options: FailoverOptions): Promise<void> {
  const { store, log, refreshOthers } = options;
  const diedAt = performance.now();
  try {
    const before = await within(store.view(), endLeaseMaxMs);
    await within(store.endLease(dead), endLeaseMaxMs);
    refreshOthers();
    if (before) void tellWhoTookOver(dead, before, diedAt, options);
  } catch (error) {
    log.warn(`the lease of ${dead.node} could not be ended: it has to run out`, { error: String(error) });
  }
}

async function tellWhoTookOver(dead: DeadNode, before: View, diedAt: number, options: FailoverOptions): Promise<void> {
  const orphans = before.shards.filter(({ owner }) => owner === dead.incarnation);
  const alone = before.members.every(({ incarnation }) => incarnation === dead.incarnation);
  if (orphans.length === 0 || alone) return;
  const { store, log, isStopping } = options;
  const shards = `the ${orphans.length} ${orphans.length === 1 ? "shard" : "shards"} of ${dead.node}`;
  try {
    while (performance.now() - diedAt < lookMaxMs) {
      if (isStopping()) return;
      const owners = newOwners(orphans, await store.view());
      const tookMs = Math.round(performance.now() - diedAt);
      if (owners) return log.info(`${listed(owners)} took over ${shards} in ${tookMs} ms`);
      await pause(lookIntervalMs);
    }
    log.warn(`nobody has taken over all of ${shards} within ${lookMaxMs / 1_000} s`);
  } catch (error) {
    if (!isStopping()) log.warn(`who took over ${shards} cannot be told`, { error: String(error) });
  }
}

/** The names of the members that own these shards now; undefined until each is owned by one that lives. */
function newOwners(orphans: readonly ShardOwnership[], { members, shards }: View): readonly string[] | undefined {
  const names = new Map(members.map(({ incarnation, node }) => [incarnation, node]));
  const owners = new Map(shards.map(({ shard, owner }) => [`${shard.service}/${shard.number}`, owner]));
  const found = new Set<string>();
  for (const { shard } of orphans) {
    const name = names.get(owners.get(`${shard.service}/${shard.number}`) ?? 0);
    if (name === undefined) return undefined;
    found.add(name);
  }
  return [...found].sort();
}

/** `node-1`, `node-1 and node-3`, `node-1, node-2 and node-3`. */
function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join() : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
