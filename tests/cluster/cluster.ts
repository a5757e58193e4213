/** Three real processes behind one port, and everything that a test may do to them. */
import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { join } from "node:path";
import { readAdminFile } from "../../src/admin/admin-file.ts";
import { adminClient } from "../../src/admin/client.ts";
import type { AdminTarget, NodeReport } from "../../src/admin/target.ts";
import { root, startUp, temporaryFolder, until } from "../host/running-system.ts";

const systemFile = join(root, "tests/cluster/system.ts");
const words = [systemFile, "--nodes", "3"];
const shards = 5 * 64;

type RunningCluster = Awaited<ReturnType<typeof startUp>>;

export class Cluster implements AsyncDisposable {
  readonly url: string;
  readonly nodeIds: readonly string[];
  readonly #folder: ReturnType<typeof temporaryFolder>;
  #up: RunningCluster;
  readonly #admin: AdminTarget;

  private constructor(folder: ReturnType<typeof temporaryFolder>, up: RunningCluster, admin: AdminTarget) {
    this.#folder = folder;
    this.#up = up;
    this.#admin = admin;
    this.url = up.ready.http;
    this.nodeIds = up.ready.nodes.map(({ id }) => id);
  }

  /** What the nodes and their supervisor have logged. */
  get log(): string {
    return this.#up.stderr;
  }

  /** Three nodes of the workload system, on a store in a folder that goes with them or on that one; killed after `lifeMaxMs`. */
  static async start(lifeMaxMs?: number, store?: string): Promise<Cluster> {
    const folder = temporaryFolder();
    try {
      const up = await startUp(folder.path, store === undefined ? words : [...words, "--store", store], lifeMaxMs);
      const [name] = globSync(".synod/*.admin.json", { cwd: folder.path });
      const file = await readAdminFile(join(folder.path, name!));
      const cluster = new Cluster(folder, up, adminClient(file!));
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
  async whole(): Promise<void> {
    await until("every node serves its part", async () => this.#isWhole(await this.nodes().catch(() => [])), 60_000);
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

  /** Stops everything in order and starts it again; resolves with how long the start took, ms. Addresses change. */
  async stopAndStartAgain(): Promise<number> {
    this.#up.signal("SIGINT");
    const { code } = await this.#up.ended;
    assert.equal(code, 0);
    const started = performance.now();
    this.#up = await startUp(this.#folder.path, words);
    return performance.now() - started;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A node that a test stopped would hear of nothing.
    for (const { pid } of await this.nodes().catch(() => [])) if (pid !== undefined) wake(pid);
    await this.#up[Symbol.asyncDispose]();
    this.#folder[Symbol.dispose]();
  }
}

/** Lets a stopped process go on. One that kept the store locked was killed by its supervisor meanwhile. */
export function wake(pid: number): void {
  try {
    process.kill(pid, "SIGCONT");
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, "ESRCH");
  }
}
