/**
 * What membership costs as a system grows: nodes without links on one store in memory, in virtual time. Everything runs in this
 * process, so what is measured of a node's processor time has the store's share of its heartbeats in it.
 */
import { counterSystem } from "../guarantees/counter-system.ts";
import { type TestNode, World } from "../guarantees/world.ts";

const system = counterSystem();
/** Between two heartbeats of a node, ms. */
const heartbeatMs = 500;
const roundsLength = 4;
/** A thousand nodes that all look at each other in one instant have something to do. */
const settleMaxMs = 2 * 60_000;

export interface MembershipCosts {
  readonly nodes: number;
  /** Requests of all nodes together to the store, in a second in which nothing changes. */
  readonly storeRequestsPerSecond: number;
  /** Processor time of one node for a heartbeat in which nothing has changed, ms. */
  readonly quietMs: number;
  /** What a full view costs it besides, from the answer of the store to what follows from it, ms. */
  readonly viewChangeMs: number;
}

/** Starts that many nodes, lets them be, and has one more join and leave again, several times. */
export async function measureMembership(nodes: number): Promise<MembershipCosts> {
  await using world = World.create("memory", 64);
  world.settleMaxMs = settleMaxMs;
  for (let number = 1; number <= nodes; number++) await world.begin({ system, node: `node-${number}` });
  await world.until(Promise.all(world.nodes.map(({ started }) => started)));
  await world.advance(4 * heartbeatMs);

  const before = requestsOf(world.nodes);
  await world.advance(1_000);
  const storeRequestsPerSecond = requestsOf(world.nodes) - before;

  const store = await world.connect();
  let [quietMs, changedMs] = [0, 0];
  for (let round = 0; round < roundsLength; round++) {
    quietMs += await processorMs(() => world.advance(heartbeatMs));
    // A member that owns nothing: the revision is another one, and every node is told everything.
    const { incarnation } = await store.join({ node: "guest", address: null, hosts: [] });
    changedMs += await processorMs(() => world.advance(heartbeatMs));
    await store.endLease({ node: "guest", incarnation });
    await world.advance(heartbeatMs);
  }
  const each = nodes * roundsLength;
  return { nodes, storeRequestsPerSecond, quietMs: quietMs / each, viewChangeMs: (changedMs - quietMs) / each };
}

function requestsOf(nodes: readonly TestNode[]): number {
  const methods = ["join", "renew", "claim", "release", "endLease", "view"] as const;
  return nodes.reduce((sum, { store }) => sum + methods.reduce((count, method) => count + store.count(method), 0), 0);
}

async function processorMs(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}
