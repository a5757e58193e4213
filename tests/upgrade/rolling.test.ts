/** A release comes in on real processes: old and new code side by side under load, in the two ways that people do it. */
import assert from "node:assert/strict";
import { renameSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { openSqliteStore } from "../../src/adapters/sqlite/store.ts";
import { shardOf } from "../../src/values/hash.ts";
import { ask } from "../cluster/bare-http.ts";
import { nodeWords, RunningNode } from "../host/running-node.ts";
import { root, startUp, synod, temporaryFolder, until } from "../host/running-system.ts";
import { Load } from "./load.ts";
import { OwnershipWatch } from "./watch.ts";

const oldRelease = join(root, "tests/upgrade/old-release.ts");
const newRelease = join(root, "tests/upgrade/new-release.ts");

/** What `ln -sfn RELEASE current` does: whoever loads the file finds one release or the other, whole. */
function release(folder: string, file: string): string {
  const current = join(folder, "system.ts");
  symlinkSync(file, `${current}.next`);
  renameSync(`${current}.next`, current);
  return current;
}

/** Every acknowledged cent is there, once. */
async function assertHoldings(url: string, put: ReadonlyMap<string, number>): Promise<void> {
  assert.ok(put.size > 50, "there was load");
  for (const [wallet, cents] of put)
    assert.deepEqual(await ask(url, `/wallet/${wallet}/holds`, undefined), { status: 200, body: cents }, wallet);
}

/** Wallets in shards of their own. */
const walletNames = ["ann", "ben", "cleo", "dora", "emil", "fritz", "gerd", "hanna", "ida", "jo"];

/** Those of the wallets that the node owns. */
async function ownedBy(path: string, node: string): Promise<readonly string[]> {
  const store = await openSqliteStore({ path, system: "wallets" });
  try {
    const { members, shards } = await store.view();
    const owners = members.filter((member) => member.node === node).map(({ incarnation }) => incarnation);
    const owned = shards.filter(
      ({ shard, owner }) => shard.service === "wallet" && owner !== null && owners.includes(owner),
    );
    const numbers = new Set(owned.map(({ shard }) => shard.number));
    return walletNames.filter((name) => numbers.has(shardOf("wallet", name, store.identity.shardsPerService)));
  } finally {
    await store.close();
  }
}

/** Version and state of a wallet's row. */
function storedOf(path: string, wallet: string): string {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const rows = database
      .prepare("SELECT state, version FROM entities WHERE service = 'wallet' AND key = ?")
      .all(wallet);
    return JSON.stringify(rows);
  } finally {
    database.close();
  }
}

async function untilAsked(load: Load, times: number): Promise<void> {
  const before = load.requests;
  await until("callers go on", () => load.requests >= before + times, 30_000);
}

test("`synod restart --rolling` brings new code in under load: no request fails, and no old node owns newer state", async (t) => {
  using folder = temporaryFolder();
  const system = release(folder.path, oldRelease);
  await using up = await startUp(folder.path, [system]);
  await using watch = await OwnershipWatch.start(join(folder.path, ".synod/wallets.db"));
  await using load = new Load(() => [up.ready.http], 6);
  await untilAsked(load, 150);
  release(folder.path, newRelease);
  const { code, stdout, stderr } = await synod(folder.path, ["restart", "--rolling"], 60_000);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.equal(stdout.trim().split("\n").length, 3);
  await untilAsked(load, 100);
  await load.stop();
  t.diagnostic(`${load.requests} rounds, ${watch.mixed} looks at mixed members`);
  assert.ok(watch.mixed > 5, "old and new code served side by side");
  assert.deepEqual(watch.breaches, []);
  await assertHoldings(up.ready.http, load.put);
  // What is new is there, for callers of HTTP and for operators.
  assert.deepEqual((await ask(up.ready.http, "/diary/today/write", "released")).body, 1);
  assert.equal((await synod(folder.path, ["call", "diary", "today", "write", '"again"'])).stdout, "2\n");
  assert.deepEqual((await ask(up.ready.http, "/wallet/fresh/puts", undefined)).body, 0);
  const troubles = up.stderr.split("\n").filter((line) => /"level":"(warn|error)"/.test(line));
  assert.deepEqual(
    troubles.filter((line) => !line.includes("runs another system file than this node")),
    [],
  );
});

/** A node on the store of the folder, of either release. */
function running(folder: string, file: string, id: string): RunningNode {
  return new RunningNode({ folder, words: nodeWords(file, id, "sqlite:wallets.db") });
}

test("nodes of several machines are replaced one by one behind a balancer, and no request fails", async () => {
  using folder = temporaryFolder();
  await using nodes = new AsyncDisposableStack();
  const targets = new Map<string, string>();
  const start = async (id: string, file: string): Promise<RunningNode> => {
    const node = nodes.use(running(folder.path, file, id));
    targets.set(id, await node.url());
    return node;
  };
  const old = [await start("node-a", oldRelease), await start("node-b", oldRelease)];
  await using watch = await OwnershipWatch.start(join(folder.path, "wallets.db"));
  await using load = new Load(() => [...targets.values()], 4);
  await untilAsked(load, 100);
  for (const [at, id] of ["node-a", "node-b"].entries()) {
    targets.delete(id);
    // A balancer sends no more before the node hears that it is to stop.
    await untilAsked(load, 20);
    old[at]!.signal("SIGTERM");
    assert.equal((await old[at]!.ended).code, 0);
    await start(id, newRelease);
    await untilAsked(load, 50);
  }
  await load.stop();
  assert.ok(watch.mixed > 0, "old and new code served side by side");
  assert.deepEqual(watch.breaches, []);
  await assertHoldings([...targets.values()][0]!, load.put);
});

test("what new code wrote waits for new code: an old node neither serves nor overwrites it, and serves the rest", async () => {
  using folder = temporaryFolder();
  const database = join(folder.path, "wallets.db");
  await using old = running(folder.path, oldRelease, "node-old");
  const url = await old.url();
  await using first = running(folder.path, newRelease, "node-new");
  await first.url();
  const wallet = await until("the new node owns wallets", async () => (await ownedBy(database, "node-new"))[0]);
  assert.equal((await ask(url, `/wallet/${wallet}/put`, 5)).body, 5);
  const written = storedOf(database, wallet);
  assert.match(written, /puts/);
  first.signal("SIGKILL");
  await first.ended;
  const own = await until("the old node has taken over what it knows", async () => {
    const names = await ownedBy(database, "node-old");
    return names.length >= walletNames.length - 1 && names;
  });
  assert.ok(!own.includes(wallet), "an old node does not own what new code wrote");
  assert.equal((await ask(url, `/wallet/${own[0]}/put`, 2)).body, 2);
  const refused = await fetch(`${url}/wallet/${wallet}/put`, {
    method: "POST",
    headers: { "content-type": "application/json", "request-timeout": "1" },
    body: "1",
  });
  assert.ok([503, 504].includes(refused.status), `answered ${refused.status}`);
  assert.equal(((await refused.json()) as { outcome: string }).outcome, "not-happened");
  assert.equal(storedOf(database, wallet), written);
  await using again = running(folder.path, newRelease, "node-new");
  await again.url();
  assert.equal((await ask(url, `/wallet/${wallet}/put`, 1)).body, 6);
});
