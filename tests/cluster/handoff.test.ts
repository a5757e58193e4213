/** How long a planned handoff keeps a key from answering: nodes on one SQLite file, with real links and clocks. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { openSqliteStore } from "../../src/adapters/sqlite/store.ts";
import { systemClock } from "../../src/adapters/system/clock.ts";
import { systemRandom } from "../../src/adapters/system/random.ts";
import { tcpNetwork } from "../../src/adapters/tcp/network.ts";
import type { Log } from "../../src/ports/log.ts";
import type { Store } from "../../src/ports/store.ts";
import { type RunningNode, startNode } from "../../src/runtime/node.ts";
import { assertFigure, temporaryFolder } from "../host/running-system.ts";
import system from "./system.ts";

const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

interface Member extends AsyncDisposable {
  readonly node: RunningNode;
}

async function start(path: string, name: string): Promise<Member> {
  const store: Store = await openSqliteStore({ path, system: system.name });
  const node = await startNode({
    node: name,
    system,
    store,
    clock: systemClock,
    random: systemRandom,
    log: silent,
    network: { network: tcpNetwork(), listen: "127.0.0.1:0" },
  });
  const stop = async (): Promise<void> => {
    await node.stop(5_000);
    await store.close();
  };
  return { node, [Symbol.asyncDispose]: stop };
}

/** Asks one counter without pause; the longest wait for an answer. */
class Watch {
  longestMs = 0;
  #stopped = false;
  readonly #run: Promise<void>;

  constructor(node: RunningNode, key: string) {
    this.#run = this.#ask(node, key);
  }

  async #ask(node: RunningNode, key: string): Promise<void> {
    const call = { service: "counter", key, operation: "read", principal: "tester" } as const;
    while (!this.#stopped) {
      const sentAt = performance.now();
      const reply = await node.gateway.call(call);
      this.longestMs = Math.max(this.longestMs, performance.now() - sentAt);
      assert.ok(reply.ok, JSON.stringify(reply));
      await new Promise((next) => setTimeout(next, 1));
    }
  }

  async stop(): Promise<number> {
    this.#stopped = true;
    await this.#run;
    return this.longestMs;
  }
}

test("a planned handoff of a shard takes less than 50 ms at the median, and no call fails", async (t) => {
  using folder = temporaryFolder();
  const path = join(folder.path, "store.db");
  await using first = await start(path, "node-1");
  await assertFigure("the median handoff", 50, async () => {
    const second = await start(path, "node-2");
    const keys: string[] = [];
    for (let number = 0; keys.length < 20; number++) {
      const key = `key-${number}`;
      await first.node.gateway.call({ service: "counter", key, operation: "add", input: "1", principal: "tester" });
      if ((await second.node.inspect("counter", key)).owner === "node-2") keys.push(key);
    }
    const watches = keys.map((key) => new Watch(first.node, key));
    const started = performance.now();
    await second.node.drain(10_000);
    const drainMs = performance.now() - started;
    assert.equal(second.node.status().shardsOwned, 0);
    const waits = (await Promise.all(watches.map((watch) => watch.stop()))).sort((a, b) => a - b);
    await second[Symbol.asyncDispose]();
    const [median, worst] = [waits[waits.length / 2]!, waits.at(-1)!];
    const words = `median ${median.toFixed(1)} ms, worst ${worst.toFixed(1)} ms`;
    t.diagnostic(`${words}; all shards of the node were handed over in ${Math.round(drainMs)} ms`);
    return median;
  });
});
