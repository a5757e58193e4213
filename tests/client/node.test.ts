/** The client library against a real node: typed calls, and effectively once whatever the network does. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startSystem } from "synod";
import { type Client, type ClientOptions, connect, SynodError } from "synod/client";
import { Account, clientSystem, Mail } from "./client-system.ts";
import { type CuttingProxy, cuttingProxy, type Fate } from "./cutting-proxy.ts";

/** A node in this process, and a client that reaches it through a proxy with these fates for its requests. */
async function world(nextFate: (url: string) => Fate = () => "pass", options: ClientOptions = {}) {
  const { system, sent } = clientSystem();
  const running = await startSystem(system, { adapters: true });
  const proxy: CuttingProxy = await cuttingProxy(running.urls[0]!, nextFate);
  const client: Client = connect(proxy.url, options);
  return {
    client,
    sent,
    proxy,
    running,
    [Symbol.asyncDispose]: async () => {
      await proxy[Symbol.asyncDispose]();
      await running.stop(0);
    },
  };
}

/** The fates, one after the other, and then no more harm. */
function inTurn(...fates: Fate[]): () => Fate {
  return () => fates.shift() ?? "pass";
}

test("typed calls of keyed and stateless services", async () => {
  await using here = await world();
  const alice = here.client.to(Account, "alice");
  assert.deepEqual(await alice.deposit({ amount: 5 }), { balance: 5 });
  assert.deepEqual(await alice.balance(), { balance: 5 });
  const refused = await alice.withdraw.safe({ amount: 7 });
  assert.ok(!refused.ok && refused.error.code === "insufficientFunds" && refused.error.data.balance === 5);
  assert.equal(await alice.close(), undefined);
  assert.deepEqual(await alice.balance(), { balance: 0 });
  assert.equal(await here.client.to(Mail).send("hello"), 1);
});

test("what the node refuses is told as the node says it", async () => {
  await using here = await world();
  const negative = await here.client.to(Account, "alice").deposit.safe({ amount: -1 });
  assert.ok(!negative.ok && negative.error.code === "invalid_argument");
  assert.deepEqual(
    (negative.error.data as { violations: { path: string }[] }).violations.map(({ path }) => path),
    ["$.amount"],
  );
  const { system } = clientSystem();
  await using other = await startSystem({ ...system, services: system.services.slice(0, 1) }, { adapters: true });
  const missing = await connect(other.urls[0]!).to(Mail).send.safe("hello");
  assert.ok(!missing.ok && missing.error.code === "not_found" && missing.error.outcome === "not-happened");
  assert.match(missing.error.message, /no service is called "mail"/);
  const long = await here.client.to(Account, "alice", { timeout: "1h" }).balance.safe();
  assert.ok(!long.ok && /Request-Timeout must be a number of seconds above 0 and up to 300/.test(long.error.message));
});

test("keys arrive as they are, and headers say who calls", async () => {
  await using here = await world(undefined, { headers: () => ({ authorization: "Bearer eve" }) });
  for (const key of ["a/b", "%2F", "ä😀", "..a", "...", " ", "", "?x=1#y", "a\\b", "__proto__", "%2e%2e", "+"]) {
    assert.deepEqual(await here.client.to(Account, key).whoAmI(), { key, principal: "eve" });
  }
});

describe("a keyed command takes effect once", () => {
  for (const fates of [["before"], ["after"], ["after", "before", "after"]] satisfies Fate[][]) {
    test(`when connections are cut ${fates.join(", ")} handling`, async () => {
      await using here = await world(inTurn(...fates));
      assert.deepEqual(await here.client.to(Account, "alice").deposit({ amount: 5 }), { balance: 5 });
      assert.deepEqual(await here.client.to(Account, "alice").balance(), { balance: 5 });
      assert.deepEqual(here.proxy.fates.slice(0, -1), [...fates, "pass"]);
    });
  }

  test("when many calls go on and every third answer is lost, whatever they return", async () => {
    let requests = 0;
    await using here = await world((url) => (url.endsWith("balance") || ++requests % 3 !== 0 ? "pass" : "after"));
    const keys = ["alice", "bob", "carol"];
    const calls = Array.from({ length: 60 }, (_, at) => here.client.to(Account, keys[at % 3]!).deposit({ amount: 1 }));
    const results = await Promise.all(calls);
    for (const key of keys) assert.deepEqual(await here.client.to(Account, key).balance(), { balance: 20 });
    const seen = results.map(({ balance }) => balance).sort((a, b) => a - b);
    assert.deepEqual(
      seen,
      Array.from({ length: 60 }, (_, at) => Math.floor(at / 3) + 1),
      "each reply is the one that its own deposit had",
    );
    assert.ok(here.proxy.fates.includes("after"));
  });

  test("and a declared error that was lost is the same when it is read again", async () => {
    await using here = await world(inTurn("after"));
    const { withdraw, deposit } = here.client.to(Account, "alice");
    const first = withdraw.safe({ amount: 5 });
    const result = await first;
    assert.ok(!result.ok && result.error.code === "insufficientFunds" && result.error.outcome === "not-happened");
    await deposit({ amount: 5 });
  });

  test("under an id of the caller's own, for as many calls as there are", async () => {
    await using here = await world(inTurn("after"));
    const once = () => here.client.to(Account, "alice", { id: "order-7" }).deposit({ amount: 5 });
    assert.deepEqual(await Promise.all([once(), once(), once()]), Array(3).fill({ balance: 5 }));
    const other = here.client.to(Account, "alice", { id: "order-7" }).deposit.safe({ amount: 6 });
    assert.equal((await other).ok, false, "the same id with another input is an error");
  });
});

test("a stateless command whose answer is lost was done once, and its caller is told of the doubt", async () => {
  await using here = await world(inTurn("after"));
  const result = await here.client.to(Mail).send.safe("hello");
  assert.ok(!result.ok && result.error.code === "unavailable" && result.error.outcome === "unknown");
  assert.deepEqual(here.sent, ["hello"]);
});

test("a system that has stopped certainly did nothing, and the error says where nobody answers", async () => {
  const { system } = clientSystem();
  const running = await startSystem(system, { adapters: true });
  const client = connect(running.urls[0]!, { timeout: 2_000 });
  await client.to(Account, "alice").deposit({ amount: 1 });
  await running.stop(0);
  await assert.rejects(client.to(Account, "alice").deposit({ amount: 1 }), (error) => {
    assert.ok(error instanceof SynodError && error.code === "unavailable");
    return error.message.includes(running.urls[0]!);
  });
});
