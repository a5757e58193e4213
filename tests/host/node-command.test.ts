/** `synod node`: nodes in the foreground that find each other through one store. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import { openSqliteStore } from "../../src/adapters/sqlite/store.ts";
import { nodeWords, RunningNode } from "./running-node.ts";
import { bank, bin, type Finished, finished, lives, post, synod, temporaryFolder, until } from "./running-system.ts";

/** One of the bank, on the store of its folder. */
function running(folder: string, id: string, words: readonly string[] = [], environment: Record<string, string> = {}) {
  return new RunningNode({ folder, words: [...wordsOf(id), ...words], environment });
}

test("nodes with certificates find each other, with settings from flags or from the environment", async () => {
  using folder = temporaryFolder();
  assert.equal((await synod(folder.path, ["certs", "certs", "--nodes", "node-a,node-b"])).code, 0);
  const tls = ["--tls-cert", "certs/node-a.pem", "--tls-key", "certs/node-a-key.pem", "--tls-ca", "certs/ca.pem"];
  const environment = {
    SYNOD_TLS_CERT: "certs/node-b.pem",
    SYNOD_TLS_KEY: "certs/node-b-key.pem",
    SYNOD_TLS_CA: "certs/ca.pem",
  };
  await using a = running(folder.path, "node-a", tls);
  const url = await a.url();
  await using b = running(folder.path, "node-b", [], environment);
  await b.url();
  await until("both own shards", async () => Object.keys(await shardsOf(folder.path)).length === 2);
  for (let number = 0; number < 8; number++) {
    const reply = await post(url, `/account/holder-${number}/deposit`, { amount: 5 });
    assert.deepEqual(reply, { status: 200, body: { balance: 5 } });
  }
  const impostor = await synod(folder.path, [...wordsOf("node-c"), ...tls]);
  assert.match(impostor.stderr, /certificate certs\/node-a\.pem is for node-a, and this is node-c/);
  const bare = await synod(folder.path, [...wordsOf("node-c"), "--listen", "0.0.0.0:0"]);
  assert.match(bare.stderr, /beyond this machine, where links must be TLS.*--tls-cert/);
});

function wordsOf(id: string): string[] {
  return nodeWords(bank, id, "sqlite:bank.db");
}

/** Shards of each member, by its name. */
async function shardsOf(folder: string): Promise<Record<string, number>> {
  const store = await openSqliteStore({ path: `${folder}/bank.db`, system: "bank" });
  try {
    const { members, shards } = await store.view();
    const counts = members.map(({ node, incarnation }): [string, number] => {
      return [node, shards.filter(({ owner }) => owner === incarnation).length];
    });
    return Object.fromEntries(counts.sort());
  } finally {
    await store.close();
  }
}

async function untilShared(folder: string, nodes: readonly string[]): Promise<Record<string, number>> {
  return await until(`${nodes.join(", ")} share the shards`, async () => {
    const shards = await shardsOf(folder);
    const counts = Object.values(shards);
    const complete = counts.reduce((sum, count) => sum + count, 0) === 2 * 64;
    return Object.keys(shards).join() === nodes.join() && complete && counts.every((count) => count > 0) && shards;
  });
}

test("nodes on one store share its shards, any of them answers for every key, and they join and leave", async () => {
  using folder = temporaryFolder();
  await using a = running(folder.path, "node-a");
  await using b = running(folder.path, "node-b");
  const urls = await Promise.all([a.url(), b.url()]);
  await untilShared(folder.path, ["node-a", "node-b"]);
  const keys = Array.from({ length: 12 }, (_, index) => `key-${index}`);
  let stopped = false;
  const failures: unknown[] = [];
  const deposits = keys.map(async (key, index) => {
    let made = 0;
    for (; !stopped; made++) {
      const answer = await post(urls[(index + made) % 2]!, `/account/${key}/deposit`, { amount: 1 }).catch(String);
      if (typeof answer === "string" || answer.status !== 200) failures.push(answer);
    }
    return made;
  });
  {
    await using c = running(folder.path, "node-c");
    const url = await c.url();
    await untilShared(folder.path, ["node-a", "node-b", "node-c"]);
    for (const key of keys) assert.equal((await post(url, `/account/${key}/balance`)).status, 200);
    c.signal("SIGTERM");
    const { code, stderr } = await c.ended;
    assert.equal(code, 0, stderr);
  }
  await untilShared(folder.path, ["node-a", "node-b"]);
  stopped = true;
  const made = await Promise.all(deposits);
  assert.deepEqual(failures, [], "neither the join nor the leave failed a request");
  for (const [index, key] of keys.entries()) {
    for (const url of urls)
      assert.deepEqual((await post(url, `/account/${key}/balance`)).body, { balance: made[index] });
  }
  a.signal("SIGINT");
  assert.equal((await a.ended).code, 0);
  await untilShared(folder.path, ["node-b"]);
  assert.equal((await post(urls[1]!, `/account/${keys[0]}/balance`)).status, 200);
});

test("a node under the name of a live one is refused in one sentence, and harms nobody", async () => {
  using folder = temporaryFolder();
  await using a = running(folder.path, "node-a");
  await using b = running(folder.path, "node-b");
  const urls = await Promise.all([a.url(), b.url()]);
  const shards = await untilShared(folder.path, ["node-a", "node-b"]);
  const { code, stdout, stderr } = await synod(folder.path, wordsOf("node-a"));
  assert.deepEqual([code, stdout], [1, ""]);
  assert.equal(
    stderr,
    "synod: Another process runs as node-a on this store, and is alive: stop it, or give this node another name.\n",
  );
  assert.deepEqual(await shardsOf(folder.path), shards, "nothing has moved");
  for (let key = 0; key < 12; key++) {
    for (const url of urls) assert.equal((await post(url, `/account/key-${key}/deposit`, { amount: 1 })).status, 200);
  }
});

test("a node that crashed is taken over when its lease has run out, and comes back under its name", async () => {
  using folder = temporaryFolder();
  await using a = running(folder.path, "node-a");
  await using b = running(folder.path, "node-b");
  const [, url] = await Promise.all([a.url(), b.url()]);
  await untilShared(folder.path, ["node-a", "node-b"]);
  a.signal("SIGKILL");
  await a.ended;
  await using again = running(folder.path, "node-a");
  const next = await again.url();
  await untilShared(folder.path, ["node-a", "node-b"]);
  for (const one of [url, next]) assert.equal((await post(one, "/account/alice/balance")).status, 200);
});

test("Ctrl-C while a node waits to serve lets it leave in order", async () => {
  using folder = temporaryFolder();
  await using a = running(folder.path, "node-a");
  await a.url();
  a.signal("SIGKILL");
  await a.ended;
  await using b = running(folder.path, "node-b");
  await until("the node has joined", async () => "node-b" in (await shardsOf(folder.path)));
  b.signal("SIGINT");
  const { code, stdout, stderr } = await b.ended;
  assert.deepEqual([code, stdout], [0, ""], stderr);
  assert.ok(!("node-b" in (await shardsOf(folder.path))), "no lease has to run out");
  assert.ok(!lives(b.pid));
});

test("a node that cannot start says why in one sentence", async () => {
  using folder = temporaryFolder();
  await using a = running(folder.path, "node-a");
  const { port } = new URL(await a.url());
  const refusals: [words: string[], sentence: RegExp][] = [
    [
      ["--store", "memory:"],
      /^synod: A store in memory cannot be shared by several nodes: use sqlite:PATH or postgres:\/\/….$/,
    ],
    [["--id", "a/b"], /^synod: a\/b cannot name a node: /],
    [["--listen", "nonsense"], /^synod: .*nonsense/],
    [["--listen", "0.0.0.0:0"], /^synod: .*0\.0\.0\.0/],
    [["--listen", `127.0.0.1:${port}`], new RegExp(`^synod: .*127\\.0\\.0\\.1:${port}.* in use`)],
    [["--port", port], new RegExp(`^synod: HTTP cannot listen on 127\\.0\\.0\\.1:${port}: the port is in use`)],
  ];
  for (const [words, sentence] of refusals) {
    const { code, stdout, stderr } = await synod(folder.path, [...wordsOf("node-x"), "--log-format", "text", ...words]);
    assert.deepEqual([code, stdout], [1, ""], words.join(" "));
    assert.match(stderr.trimEnd().split("\n").at(-1)!, sentence);
    assert.doesNotMatch(stderr, /\n {4}at /);
  }
});

test("what no flag says comes from the environment, and a flag goes first", async () => {
  using folder = temporaryFolder();
  const env = { ...process.env, SYNOD_STORE: "memory:", SYNOD_LISTEN: "127.0.0.1:0", SYNOD_ID: "not a name" };
  const run = (...words: string[]): Promise<Finished> => {
    const options = { cwd: folder.path, env, stdio: ["ignore", "pipe", "pipe"] as ["ignore", "pipe", "pipe"] };
    return finished(spawn(process.execPath, [bin, "node", bank, ...words], options));
  };
  assert.match((await run()).stderr, /not a name cannot name a node/);
  assert.match((await run("--id", "node-a")).stderr, /A store in memory cannot be shared/);
});
