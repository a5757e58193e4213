/** Tests that read as prose: what happens to a simulated system is said in verbs, and time passes when it is told to. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { Account } from "../../examples/bank/account.interface.ts";
import bank from "../../examples/bank/system.ts";
import { Transfer } from "../../examples/bank/transfer.interface.ts";
import { command, defineInterface, defineSystem, implement, SynodError, type System } from "../../src/index.ts";
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

test("calls under one id are one call, from whichever callers", async () => {
  await using system = await startSimulatedSystem(bank, { nodes: 3 });
  const paying = (node: string, amount: number) => system.at(node).to(Account, "a", { id: "once" }).deposit({ amount });
  for (const node of system.nodes) assert.deepEqual(await system.outcome(paying(node, 5)), { balance: 5 });
  const again = system.to(Account, "a", { id: "once" }).deposit({ amount: 5 });
  assert.deepEqual(await system.outcome(again), { balance: 5 });
  await assert.rejects(system.outcome(paying("node-1", 6)), { code: "invalid_argument" });
  const other = system.to(Account, "b", { id: "once" }).deposit({ amount: 6 });
  assert.deepEqual(await system.outcome(other), { balance: 6 }, "another entity's is another call");
});

test("calls under one id at the same time take effect once", async () => {
  await using system = await startSimulatedSystem(bank, { nodes: 3 });
  const paying = system.nodes.map((node) => system.at(node).to(Account, "a", { id: "once" }).deposit({ amount: 5 }));
  for (const call of paying) assert.deepEqual(await system.outcome(call), { balance: 5 });
});

/** What comes of a call of 4 s to a node that is down until then, and cannot ask the owner, and after how long. */
async function askedOfOneWhoComesLate(afterMs: number): Promise<{ readonly code: string; readonly ms: number }> {
  await using system = await startSimulatedSystem(bank, { nodes: 3 });
  const owner = await system.ownerOf(Account, "alice");
  const other = system.nodes.find((node) => node !== owner)!;
  system.crash(other, { staysDown: true });
  const asked = system.now;
  const call = system.at(other).to(Account, "alice", { timeout: "4s" }).deposit.safe({ amount: 5 });
  await system.advance(afterMs);
  system.hold(other, owner);
  system.restart(other);
  const heard = await system.outcome(call);
  assert.ok(!heard.ok);
  return { code: heard.error.code, ms: system.now - asked };
}

test("a call lasts no longer than its timeout, however late its last attempt begins", async () => {
  const codes = new Set<string>();
  for (let afterMs = 3_000; afterMs < 4_000; afterMs += 100) {
    const { code, ms } = await askedOfOneWhoComesLate(afterMs);
    assert.ok(ms < 4_300, `it lasted ${ms} ms`);
    codes.add(code);
  }
  // A last attempt was let in, or came to nobody; none was made without any time left.
  assert.deepEqual(codes, new Set(["deadline_exceeded", "unavailable"]));
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

const Gate = defineInterface("gate", { key: z.string(), operations: { pass: command({ output: z.number() }) } });
const Tour = defineInterface("tour", {
  key: z.string(),
  operations: { go: command({ durable: true, output: z.number() }) },
});

/** A tour looks at the sky before it goes through the gate; a later release has lost that step. */
function tourSystem(gate: { shut: boolean }, looks: boolean): System {
  const gateService = implement(Gate, {
    state: { version: 1, initial: () => ({ passed: 0 }) },
    operations: {
      pass: (ctx) => {
        if (gate.shut) throw new Error("shut");
        return ++ctx.state.passed;
      },
    },
  });
  const tour = implement(Tour, {
    calls: [Gate],
    state: { version: 1, initial: () => ({ passedAs: 0 }) },
    operations: {
      go: async (ctx) => {
        if (looks) await ctx.step("look at the sky", () => "blue");
        ctx.state.passedAs = await ctx.to(Gate, "north").pass();
        return ctx.state.passedAs;
      },
    },
  });
  return defineSystem({ name: "tours", services: [gateService, tour] });
}

test("new code that lost a step parks what old code has begun; rolled back and tried again it finishes, once", async () => {
  const gate = { shut: true };
  const options = { nodes: 3, upgrade: tourSystem(gate, false) };
  await using system = await startSimulatedSystem(tourSystem(gate, true), options);
  const everywhere = async (release: "system" | "upgrade"): Promise<void> => {
    for (const node of system.nodes) {
      system.changeRelease(node, release);
      await system.drain(node);
      await system.advance(2_000);
    }
  };
  const asked = system.to(Tour, "t", { timeout: "2s", id: "first" }).go.safe();
  assert.ok(!(await system.outcome(asked)).ok, "its gate is shut");
  await everywhere("upgrade");
  gate.shut = false;
  assert.ok(await system.until(() => system.parked.length === 1));
  const [parked] = system.parked;
  assert.equal(parked!.code, "nondeterministic");
  assert.match(parked!.message, /it ended without calling step look at the sky/);
  const passed = (): unknown => (system.state.all(Gate).get("north") as { passed: number } | undefined)?.passed;
  assert.equal(passed(), 1, "the call that both releases make was made");
  await system.advance(10_000);
  assert.deepEqual(
    system.parked.map(({ id }) => id),
    [parked!.id],
    "the operator has it tried again, and the new code cannot finish it",
  );
  await everywhere("system");
  assert.ok(await system.until(() => system.parked.length === 0), "the old code can");
  assert.ok(await system.until(() => system.state.all(Tour).has("t")));
  assert.deepEqual(system.state.all(Tour).get("t"), { passedAs: 1 });
  assert.equal(passed(), 1, "the call was made once");
});

test("an outage of three times the retention window refuses nothing that was accepted, and repeats nothing that was done", async () => {
  await using system = await startSimulatedSystem(bank, { nodes: 3 });
  const accounts = ["ann", "bob", "cid", "dan"];
  for (const account of accounts) await system.outcome(system.to(Account, account).deposit({ amount: 100 }));
  const order = (n: number) => ({ from: accounts[n % 4]!, to: accounts[(n + 1) % 4]!, amount: 10 + n });
  const transferred = (n: number, id: string) => {
    return system.to(Transfer, `t-${n}`, { timeout: "20s", id }).start.safe(order(n));
  };
  const total = (): number =>
    accounts.reduce((sum, key) => sum + (system.state.all(Account).get(key) as Held).balance, 0);
  const before = [0, 1, 2, 3, 4, 5, 6, 7].map((n) => transferred(n, `before-${n}`));
  // Until money of some is between two accounts.
  assert.ok(await system.until(() => total() < 400));
  for (const node of system.nodes) system.crash(node, { powerLost: true, staysDown: true });
  await system.advance(3 * 3_600_000);
  assert.ok(total() < 400, "nobody did anything meanwhile");
  for (const node of system.nodes) system.restart(node);
  await Promise.all(before.map((call) => system.outcome(call)));
  assert.ok(await system.until(() => total() === 400), "what was accepted is finished");
  const balances = (): readonly unknown[] => accounts.map((key) => system.state.all(Account).get(key));
  for (const n of [0, 1, 2, 3, 4, 5, 6, 7]) {
    const answer = await system.outcome(transferred(n, `after-${n}`));
    assert.ok(answer.ok && answer.value.status === "done", JSON.stringify(answer));
  }
  const settled = balances();
  for (const n of [0, 1, 2, 3, 4, 5, 6, 7]) await system.outcome(transferred(n, `again-${n}`));
  assert.deepEqual(balances(), settled, "under another key a transfer of that name is known all the same");
  assert.equal(total(), 400);
});

interface Held {
  readonly balance: number;
}
