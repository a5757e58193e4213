/** Three real processes behind one port, and everything that a test may do to them. */
import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { join } from "node:path";
import { readAdminFile } from "../../src/admin/admin-file.ts";
import { adminClient } from "../../src/admin/client.ts";
import type { AdminTarget, NodeReport } from "../../src/admin/target.ts";
import { kill9, lives, root, startUp, temporaryFolder, until } from "../host/running-system.ts";
import system from "./system.ts";

const systemFile = join(root, "tests/cluster/system.ts");
const words = [systemFile, "--nodes", "3"];
const shards = system.services.length * 64;

/** How it is started, and where, other than on free ports and in a folder that goes with it. */
export interface ClusterOptions {
  /** It is killed after this. */
  readonly lifeMaxMs?: number;
  readonly folder?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** The URL of its store; a file in its folder when absent. */
  readonly store?: string;
}

/** How long a start may take: on a crowded machine, or while its address is held by nodes that drain. */
const startMaxMs = 40_000;

type RunningCluster = Awaited<ReturnType<typeof startUp>>;

type Place = Disposable & { readonly path: string };

export class Cluster implements AsyncDisposable {
  readonly url: string;
  readonly nodeIds: readonly string[];
  readonly #folder: Place;
  readonly #options: ClusterOptions;
  #up: RunningCluster;
  #admin: AdminTarget;
  /** What earlier supervisors and their nodes have logged. */
  #logBefore = "";

  private constructor(folder: Place, options: ClusterOptions, up: RunningCluster, admin: AdminTarget) {
    this.#folder = folder;
    this.#options = options;
    this.#up = up;
    this.#admin = admin;
    this.url = up.ready.http;
    this.nodeIds = up.ready.nodes.map(({ id }) => id);
  }

  /** What the nodes and their supervisors have logged. */
  get log(): string {
    return this.#logBefore + this.#up.stderr;
  }

  /** The file of the store, if it is one in the folder. */
  get database(): string {
    return join(this.#folder.path, ".synod/workload.db");
  }

  /** Three nodes of the workload system. */
  static async start(options: ClusterOptions = {}): Promise<Cluster> {
    const { folder: path, env, lifeMaxMs } = options;
    const folder = path === undefined ? temporaryFolder() : { path, [Symbol.dispose]: () => {} };
    try {
      const up = await startUp(folder.path, wordsFor(options), lifeMaxMs, env, startMaxMs);
      const cluster = new Cluster(folder, options, up, await adminOf(folder.path));
      await cluster.whole();
      return cluster;
    } catch (error) {
      folder[Symbol.dispose]();
      throw error;
    }
  }

  async nodes(): Promise<readonly NodeReport[]> {
    return (await this.#admin.report()).nodes;
  }

  /** Resolves when every node serves, each its part. */
  async whole(waitMs = 60_000): Promise<void> {
    await until("every node serves its part", async () => this.#isWhole(await this.nodes().catch(() => [])), waitMs);
  }

  #isWhole(nodes: readonly NodeReport[]): boolean {
    const owned = nodes.map(({ status }) => status?.shardsOwned ?? 0);
    const members = nodes.map(({ status }) => status?.members.length ?? 0);
    return (
      nodes.length === 3 &&
      nodes.every(({ state }) => state === "ready") &&
      owned.every((count) => count > 0) &&
      owned.reduce((sum, count) => sum + count, 0) === shards &&
      members.every((count) => count === 3)
    );
  }

  /** That many counters, of a name of their own, that belong to the node. */
  async countersOf(node: string, count: number, prefix: string): Promise<readonly string[]> {
    const keys: string[] = [];
    for (let number = 0; keys.length < count; number++) {
      assert.ok(number < 100 * count, `${node} owns no counters`);
      const key = `${prefix}-${number}`;
      if ((await this.#admin.inspect("counter", key)).owner === node) keys.push(key);
    }
    return keys;
  }

  /** The process that is that node now. */
  async pidOf(node: string): Promise<number> {
    return (await this.nodes()).find(({ id }) => id === node)!.pid!;
  }

  drain(node: string): Promise<void> {
    return this.#admin.drain(node);
  }

  restart(node: string): Promise<void> {
    return this.#admin.restart(node);
  }

  /** Stops everything in order and starts it again; resolves with how long the start took, ms. */
  async stopAndStartAgain(): Promise<number> {
    this.#up.signal("SIGINT");
    const { code } = await this.#up.ended;
    assert.equal(code, 0);
    const started = performance.now();
    await this.#startAgain();
    return performance.now() - started;
  }

  /** Kills the supervisor, whose nodes then end by themselves, and starts another one at once, at the same address. */
  async killSupervisor(): Promise<void> {
    kill9(this.#up.pid);
    await this.#up.ended;
    await this.#startAgain();
  }

  /** Starts the system again if it has ended by itself; answers whether it had. */
  async revive(): Promise<boolean> {
    if (lives(this.#up.pid)) return false;
    await this.#startAgain();
    return true;
  }

  async #startAgain(): Promise<void> {
    const { lifeMaxMs, env } = this.#options;
    this.#logBefore = this.log;
    const port = new URL(this.url).port;
    this.#up = await startUp(
      this.#folder.path,
      [...wordsFor(this.#options), "--port", port],
      lifeMaxMs,
      env,
      startMaxMs,
    );
    this.#admin = await adminOf(this.#folder.path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A node that a test stopped would hear of nothing.
    for (const { pid } of await this.nodes().catch(() => [])) if (pid !== undefined) wake(pid);
    await this.#up[Symbol.asyncDispose]();
    this.#folder[Symbol.dispose]();
  }
}

function wordsFor({ store }: ClusterOptions): readonly string[] {
  return store === undefined ? words : [...words, "--store", store];
}

async function adminOf(folder: string): Promise<AdminTarget> {
  // Its name is that of the store.
  const [name] = globSync(".synod/*.admin.json", { cwd: folder });
  return adminClient((await readAdminFile(join(folder, name!)))!);
}

/** Lets a stopped process go on. One that kept the store locked was killed by its supervisor meanwhile. */
export function wake(pid: number): void {
  try {
    process.kill(pid, "SIGCONT");
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, "ESRCH");
  }
}
