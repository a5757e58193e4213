/** Tests that read as prose: what happens to a simulated system is said in verbs, and time passes when it is told to. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Account } from "../../examples/bank/account.interface.ts";
import bank from "../../examples/bank/system.ts";
import { SynodError } from "../../src/index.ts";
import { startSimulatedSystem } from "../../src/simulation/index.ts";

test("a deposit survives the crash of the owner before it is answered, and counts once", async () => {
  await using system = await startSimulatedSystem(bank, { nodes: 3 });
  const owner = await system.ownerOf(Account, "alice");
  const other = system.nodes.find((node) => node !== owner)!;
  const deposit = system.at(other).to(Account, "alice").deposit({ amount: 5 });
  await system.until(() => system.state.all(Account).has("alice"));
  system.crash(owner, { staysDown: true });
  assert.deepEqual(await system.outcome(deposit), { balance: 5 });
  assert.notEqual(await system.ownerOf(Account, "alice"), owner);
  assert.deepEqual(await system.outcome(system.to(Account, "alice").balance()), { balance: 5 });
});

test("a paused owner is taken the place of, and says nothing stale when it goes on", async () => {
  await using system = await startSimulatedSystem(bank, { nodes: 3 });
  const owner = await system.ownerOf(Account, "alice");
  const other = system.nodes.find((node) => node !== owner)!;
  await system.outcome(system.to(Account, "alice").deposit({ amount: 5 }));
  system.pause(owner);
  await system.advance(4_000);
  await system.outcome(system.at(other).to(Account, "alice").deposit({ amount: 7 }));
  const stale = system.at(owner).to(Account, "alice").balance();
  system.resume(owner);
  assert.deepEqual(await system.outcome(stale), { balance: 12 });
});

test("across a partition a call waits, and its caller may be told that nobody knows", async () => {
  await using system = await startSimulatedSystem(bank, { nodes: 3 });
  const owner = await system.ownerOf(Account, "alice");
  const [other, third] = system.nodes.filter((node) => node !== owner) as [string, string];
  system.partition([owner], [other, third]);
  const call = system.at(other).to(Account, "alice", { timeout: "3s", id: "once" }).deposit.safe({ amount: 5 });
  const early = await system.outcome(call);
  assert.ok(!early.ok && early.error instanceof SynodError);
  system.repair();
  assert.deepEqual(await system.outcome(system.at(other).to(Account, "alice", { id: "once" }).deposit({ amount: 5 })), {
    balance: 5,
  });
});

test("what is held one way arrives when it is released", async () => {
  await using system = await startSimulatedSystem(bank, { nodes: 3 });
  const owner = await system.ownerOf(Account, "alice");
  const other = system.nodes.find((node) => node !== owner)!;
  await system.outcome(system.at(other).to(Account, "alice").deposit({ amount: 1 }));
  system.hold(other, owner);
  const deposit = system.at(other).to(Account, "alice").deposit({ amount: 5 });
  await system.advance(500);
  assert.deepEqual(system.state.all(Account).get("alice"), { balance: 1 });
  system.release(other, owner);
  assert.deepEqual(await system.outcome(deposit), { balance: 6 });
});

test("a machine without power is waited for, comes back, and a clock that jumps harms nobody", async () => {
  await using system = await startSimulatedSystem(bank, { nodes: 3 });
  const owner = await system.ownerOf(Account, "alice");
  system.crash(owner, { powerLost: true });
  assert.deepEqual(await system.outcome(system.to(Account, "alice").deposit({ amount: 5 })), { balance: 5 });
  system.restart(owner);
  for (const node of system.nodes) system.skew(node, { rate: 1.02, jumpMs: node === owner ? -60_000 : 60_000 });
  await system.advance(5_000);
  assert.deepEqual(await system.outcome(system.to(Account, "alice").balance()), { balance: 5 });
  await system.drain(owner);
  const mend = system.cutOffStore(system.nodes[0]!);
  await system.advance(3_000);
  mend();
  const poor = await system.outcome(system.to(Account, "alice").withdraw.safe({ amount: 6 }));
  assert.ok(!poor.ok && poor.error.code === "insufficientFunds");
});
