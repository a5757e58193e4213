/** Linked nodes in one world, and keys that belong to the one or the other. */
import assert from "node:assert/strict";
import type { MemoryDatabase } from "../../src/adapters/memory/database.ts";
import type { NodeLimits } from "../../src/runtime/limits.ts";
import type { AnySystem } from "../../src/service/model.ts";
import { counterSystem } from "../guarantees/counter-system.ts";
import { type StoreKind, type TestNode, World } from "../guarantees/world.ts";

/** Enough that each of three nodes has some of each service. */
const shardsPerService = 16;

/** A world for several nodes. */
export function wideWorld(kind: StoreKind = "memory"): World {
  return World.create(kind, shardsPerService);
}

export interface NodesOptions {
  readonly system?: AnySystem;
  readonly limits?: Partial<NodeLimits>;
}

/** Starts nodes together, under these names, and waits until all serve, each its own part. */
export async function startNodes(
  world: World,
  names: readonly string[],
  options: NodesOptions = {},
): Promise<readonly TestNode[]> {
  const { system = counterSystem(), limits = {} } = options;
  const nodes: TestNode[] = [];
  for (const node of names) nodes.push(await world.begin({ system, node, linked: true, limits }));
  for (const node of nodes) await world.until(node.started);
  await calm(world);
  return nodes;
}

/** Starts one more node and waits until what should move to it has moved. */
export async function join(world: World, node: string, options: NodesOptions = {}): Promise<TestNode> {
  const [joined] = await startNodes(world, [node], options);
  return joined!;
}

/** Lets time pass until every shard is where it should be, and every node knows it. */
export async function calm(world: World): Promise<void> {
  await world.advance(1_000);
}

/** The `index`-th key of the counter that belongs to that node, as `by` sees it. */
export async function keyOf(owner: TestNode, index = 0, by: TestNode = owner): Promise<string> {
  for (let number = 0, found = 0; number < 1_000; number++) {
    const key = `key-${number}`;
    if ((await by.running.inspect("counter", key)).owner === owner.name && found++ === index) return key;
  }
  throw new Error(`no key belongs to ${owner.name}`);
}

/** The node whose counter that key is. */
export async function ownerOf(key: string, by: TestNode): Promise<string | null> {
  return (await by.running.inspect("counter", key)).owner;
}

/** All recorded replies, and all floors, that the database holds. */
export function rowsIn({ services }: MemoryDatabase): { readonly records: number; readonly floors: number } {
  let [records, floors] = [0, 0];
  for (const shards of services.values()) {
    for (const shard of shards) {
      records += shard.records.size;
      floors += shard.floors.size;
    }
  }
  return { records, floors };
}

/** Clients that add 1 to counters, one call after the other, through any of the nodes that `entries` names. */
export class Load {
  readonly added = new Map<string, number>();
  readonly failures: string[] = [];
  calls = 0;
  #stopped = false;
  readonly #clients: Promise<void>[];
  readonly #world: World;

  constructor(world: World, entries: () => readonly TestNode[], keys: readonly string[], clients = 4) {
    this.#world = world;
    this.#clients = Array.from({ length: clients }, (_, client) => this.#run(client, entries, keys));
  }

  async #run(client: number, entries: () => readonly TestNode[], keys: readonly string[]): Promise<void> {
    for (let call = client; !this.#stopped; call += 7) {
      const nodes = entries();
      const node = nodes[call % nodes.length]!;
      const key = keys[call % keys.length]!;
      const answer = await node.ask("add", { key, input: 1 });
      this.calls += 1;
      if (/^\d+$/.test(answer)) this.added.set(key, (this.added.get(key) ?? 0) + 1);
      else this.failures.push(`${key} by ${node.name}: ${answer}`);
      // Time passes between two calls, or the world would never settle.
      await new Promise<void>((resolve) => node.clock.setTimer(10, resolve));
    }
  }

  /** Every call was answered, and took effect exactly once. */
  async finish(reader: TestNode): Promise<void> {
    this.#stopped = true;
    await this.#world.until(Promise.all(this.#clients));
    assert.deepEqual(this.failures, []);
    assert.ok(this.calls > 50, `only ${this.calls} calls were made`);
    for (const [key, sum] of this.added) assert.equal(await reader.answer("value", { key }), String(sum), key);
  }
}
