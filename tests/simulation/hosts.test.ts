/** Hosts and a store on a server, in virtual time: what is lost between them, and how soon the others answer for it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Account } from "../../examples/bank/account.interface.ts";
import bank from "../../examples/bank/system.ts";
import { type SimulatedSystem, type StoreKind, startSimulatedSystem } from "../../src/simulation/index.ts";

const leaseTtlMs = 2_000;
const keysOfVictim = 4;

/** Some keys that this node owns. */
async function keysOf(system: SimulatedSystem, node: string): Promise<readonly string[]> {
  const keys: string[] = [];
  for (let number = 0; keys.length < keysOfVictim; number++) {
    if ((await system.ownerOf(Account, `key-${number}`)) === node) keys.push(`key-${number}`);
  }
  return keys;
}

/** The longest that a key of a node does not answer which is lost without a word, at an instant of the seed's, ms. */
async function longestWait(store: StoreKind, seed: number): Promise<number> {
  await using system = await startSimulatedSystem(bank, { store, seed });
  const keys = await keysOf(system, "node-1");
  await system.advance(seed * 61);
  system.crash("node-1", { powerLost: true });
  const lostAt = system.now;
  const waits = keys.map(async (key, index) => {
    const asked = system.at(index % 2 === 0 ? "node-2" : "node-3").to(Account, key, { timeout: "20s" });
    await asked.deposit({ amount: 1 });
    return system.now - lostAt;
  });
  return Math.max(...(await system.outcome(Promise.all(waits))));
}

for (const store of ["file", "server"] as const) {
  test(`the keys of a node that is lost without a word answer within its lease's time and a second (${store})`, async () => {
    const waits: number[] = [];
    for (let seed = 1; seed <= 8; seed++) waits.push(await longestWait(store, seed));
    assert.ok(Math.max(...waits) < leaseTtlMs + 1_000, `${waits.map(Math.round).join(" ")} ms`);
    assert.ok(Math.min(...waits) > leaseTtlMs / 2, "nobody answered while its lease could be valid");
  });
}

test("deposits under way when the primary is lost count once, whether they had reached the standby or not", async () => {
  await using system = await startSimulatedSystem(bank, { store: "server" });
  const keys = Array.from({ length: 24 }, (_, number) => `key-${number}`);
  const deposit = (key: string) => system.to(Account, key, { timeout: "20s", id: `of-${key}` }).deposit({ amount: 5 });
  const asked = keys.map((key) => deposit(key));
  const written = (): number => system.state.all(Account).size;
  // The first commits are there, and others under way.
  assert.ok(await system.until(() => written() > 0));
  system.losePrimary();
  const reached = written();
  await system.advance(700);
  assert.equal(written(), reached, "nothing is written without a primary");
  assert.ok(reached < keys.length, "of some nobody knows");
  system.promoteStandby();
  for (const call of asked) assert.deepEqual(await system.outcome(call), { balance: 5 });
});

test("a host that vanishes and comes back answers nothing that has changed meanwhile", async () => {
  await using system = await startSimulatedSystem(bank, { store: "server", seed: 3 });
  const [key] = (await keysOf(system, "node-1")) as [string];
  await system.outcome(system.to(Account, key).deposit({ amount: 1 }));
  system.partition(["node-1"], ["node-2", "node-3"]);
  const reachStore = system.cutOffStore("node-1");
  assert.deepEqual(await system.outcome(system.at("node-2").to(Account, key).deposit({ amount: 1 })), { balance: 2 });
  const asked = system.at("node-1").to(Account, key, { timeout: "20s" }).balance();
  await system.advance(1_000);
  system.repair();
  reachStore();
  assert.deepEqual(await system.outcome(asked), { balance: 2 });
});

test("a node that has not heard of a promotion says nothing that others have gone past", async () => {
  for (let seed = 1; seed <= 8; seed++) {
    await using system = await startSimulatedSystem(bank, { store: "server", seed });
    const [key] = await keysOf(system, "node-1");
    const at = (node: string) => system.at(node).to(Account, key!, { timeout: "20s" });
    await system.outcome(at("node-1").deposit({ amount: 1 }));
    system.cutOffStore("node-1");
    system.losePrimary();
    system.promoteStandby();
    // The others have joined again, and claimed what they may.
    await system.advance(800);
    assert.deepEqual(await system.outcome(at("node-2").deposit({ amount: 1 })), { balance: 2 });
    // Its lease has run out, for nobody else could have answered otherwise.
    const asked = system.outcome(at("node-1").balance());
    await assert.rejects(asked, { code: "unavailable" }, `seed ${seed}`);
  }
});
