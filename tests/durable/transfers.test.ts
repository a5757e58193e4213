/**
 * The bank's transfers, whose node dies after each of its commits, so also between taking the money and giving it; then
 * nobody can go on for twice the time that replies are kept. Whoever waits repeats it under other idempotency keys.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { account } from "../../examples/bank/account.ts";
import { rates } from "../../examples/bank/rates.ts";
import { transfer } from "../../examples/bank/transfer.ts";
import { defineSystem } from "../../src/index.ts";
import { type Asked, type StoreKind, storeKinds, type TestNode, World } from "../guarantees/world.ts";

const system = defineSystem({ name: "test", services: [account, rates, transfer] });
const retentionMs = 20_000;
const limits = { retentionMs, trimIntervalMs: 1_000, timedRecordAgeMinMs: 1_000 };
const order = { from: "alice", to: "bob", amount: 30 };

function start(node: TestNode, id: string): Asked {
  return node.ask("start", { service: "transfer", key: "t-1", input: order, id, timeoutMs: 5_000 });
}

async function balances(node: TestNode): Promise<readonly string[]> {
  const of = (key: string): Promise<string> => node.answer("balance", { service: "account", key });
  return [await of("alice"), await of("bob")];
}

/** Nobody reads what was accepted, so nobody goes on with it, for as long as that lasts. */
function outage(node: TestNode): () => void {
  return node.store.intercept("read", (reads, forward) =>
    reads.some(({ kind }) => kind === "inbox" || kind === "inboxOf")
      ? Promise.reject(new Error("the inbox cannot be read"))
      : forward(),
  );
}

/** The node dies right after that commit of the transfer; false when there is no such one. */
async function survives(kind: StoreKind, death: number): Promise<boolean> {
  await using world = World.create(kind);
  const first = await world.start({ system, limits });
  await first.answer("deposit", { service: "account", key: "alice", input: { amount: 100 } });
  let commits = 0;
  first.store.intercept("commit", async (_batch, forward) => {
    const result = await forward();
    commits += 1;
    if (commits !== death) return result;
    first.kill();
    return new Promise(() => {});
  });
  void start(first, "key-1");
  await world.advance(1_000);
  if (!first.paused) return false;
  const behind = await world.connect();
  await behind.endLease({ node: "node-1", incarnation: first.running.incarnation });
  const second = await world.begin({ system, limits, node: "node-2" });
  const over = outage(second);
  await world.until(second.started);
  for (let repeat = 2; repeat < 6; repeat++) {
    void start(second, `key-${repeat}`);
    await world.advance(retentionMs / 2);
  }
  over();
  await world.advance(5_000);
  for (const key of ["key-1", "key-5", "key-6"]) {
    assert.match(await world.until(start(second, key)), /"status":"done"/, `death ${death}, ${key}`);
  }
  assert.deepEqual(await balances(second), ['{"balance":70}', '{"balance":30}'], `death ${death}`);
  return true;
}

/** On disk each takes its time: the first ones are before the money is taken, and between taking and giving. */
const deathsOnDiskMax = 3;

for (const kind of storeKinds) {
  test(`a transfer takes effect once, after whatever commit its node dies, through an outage of twice the retention window, under whatever keys it is repeated (${kind})`, async () => {
    const deathsMax = kind === "memory" ? Number.POSITIVE_INFINITY : deathsOnDiskMax;
    let deaths = 0;
    while (deaths < deathsMax && (await survives(kind, deaths + 1))) deaths += 1;
    // Accepted; taken, given and finished, each with what is written down before and after.
    assert.ok(deaths >= Math.min(deathsMax, 4), `the node died only ${deaths} times`);
  });
}
