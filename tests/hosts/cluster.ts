/** A node on each of three hosts, with certificates, on one PostgreSQL store, and a front door for clients. */
import { join } from "node:path";
import { openPostgresStore } from "../../src/adapters/postgres/store.ts";
import type { Store, View } from "../../src/ports/store.ts";
import { shardOf } from "../../src/values/hash.ts";
import { RunningNode } from "../host/running-node.ts";
import { root, synod, until } from "../host/running-system.ts";
import { FrontDoor } from "./front-door.ts";
import type { Host } from "./network.ts";
import system from "./system.ts";

const systemFile = join(root, "tests/hosts/system.ts");
const httpPort = 8080;
const linkPort = 9400;
const wholeMaxMs = 60_000;
const shards = 64 * system.services.filter(({ state }) => state !== undefined).length;

export interface ClusterOptions {
  /** One for each node, which goes by the host's name. */
  readonly hosts: readonly Host[];
  readonly storeUrl: string;
  readonly folder: string;
  readonly lifeMaxMs: number;
}

export class HostCluster implements AsyncDisposable {
  readonly #options: ClusterOptions;
  readonly #store: Store;
  readonly #door: FrontDoor;
  readonly #nodes = new Map<string, RunningNode>();

  private constructor(options: ClusterOptions, store: Store, door: FrontDoor) {
    this.#options = options;
    this.#store = store;
    this.#door = door;
  }

  static async start(options: ClusterOptions): Promise<HostCluster> {
    const { hosts, folder, storeUrl } = options;
    const names = hosts.map(({ name }) => name);
    const { code, stderr } = await synod(folder, ["certs", "certs", "--nodes", names.join()]);
    if (code !== 0) throw new Error(stderr);
    const store = await openPostgresStore({ url: storeUrl, system: system.name });
    const addresses = hosts.map(({ address }) => address);
    const cluster = new HostCluster(options, store, await FrontDoor.open(addresses, httpPort));
    try {
      for (const name of names) cluster.boot(name);
      await cluster.whole();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Where clients ask. */
  get url(): string {
    return this.#door.url;
  }

  get names(): readonly string[] {
    return this.#options.hosts.map(({ name }) => name);
  }

  /** Starts the node of a host. */
  boot(name: string): void {
    const { hosts, folder, storeUrl, lifeMaxMs } = this.#options;
    const { address, rootCommand } = hosts.find((host) => host.name === name)!;
    const pem = (file: string): string => join(folder, "certs", `${file}.pem`);
    const place = ["--id", name, "--listen", `${address}:${linkPort}`, "--store", storeUrl, "--json"];
    const tls = ["--tls-cert", pem(name), "--tls-key", pem(`${name}-key`), "--tls-ca", pem("ca")];
    const words = ["node", systemFile, ...place, ...tls];
    const environment = { SYNOD_HOSTS_ADDRESS: address };
    this.#nodes.set(name, new RunningNode({ folder, words, environment, command: rootCommand, lifeMaxMs }));
  }

  /** The process of a host's node is gone at once; nobody is told. */
  async crash(name: string): Promise<void> {
    const node = this.#nodes.get(name)!;
    node.signal("SIGKILL");
    await node.ended;
  }

  /** That many counters, of a name of their own, that belong to the host's node. */
  async countersOf(name: string, count: number, prefix: string): Promise<readonly string[]> {
    const { members, shards } = await this.#store.view();
    const owner = members.find(({ node }) => node === name)?.incarnation;
    const owned = shards.filter((row) => row.shard.service === "counter" && row.owner === owner);
    const numbers = new Set(owned.map(({ shard }) => shard.number));
    if (numbers.size === 0) throw new Error(`${name} owns no counters`);
    const keys: string[] = [];
    for (let number = 0; keys.length < count; number++) {
      const key = `${prefix}-${number}`;
      if (numbers.has(shardOf("counter", key, this.#store.identity.shardsPerService))) keys.push(key);
    }
    return keys;
  }

  /** Resolves when every node serves, each its part, and clients are let in to all. */
  async whole(): Promise<void> {
    const isWhole = async (): Promise<boolean> => {
      for (const [name, node] of this.#nodes) await this.#refuseEnded(name, node);
      return isComplete(await this.#store.view(), this.names) && this.#door.readyLength === this.names.length;
    };
    await until("every node serves its part", async () => (await isWhole().catch(rethrowEnded)) === true, wholeMaxMs);
  }

  async #refuseEnded(name: string, node: RunningNode): Promise<void> {
    const ended = await Promise.race([node.ended, undefined]);
    if (ended !== undefined) throw new NodeEnded(`the node of ${name} ended: ${ended.stderr}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#door[Symbol.asyncDispose]();
    await Promise.all([...this.#nodes.values()].map((node) => node[Symbol.asyncDispose]()));
    await this.#store.close();
  }
}

class NodeEnded extends Error {}

/** The store may be away for a moment; a node may not. */
function rethrowEnded(error: unknown): false {
  if (error instanceof NodeEnded) throw error;
  return false;
}

function isComplete({ members, shards: rows }: View, names: readonly string[]): boolean {
  const owners = new Map(members.map(({ incarnation, node }) => [incarnation, node]));
  const found = new Set(rows.map(({ owner }) => owners.get(owner ?? 0)));
  const isEach = names.every((name) => found.has(name)) && members.length === names.length;
  return isEach && !found.has(undefined) && rows.length === shards;
}
