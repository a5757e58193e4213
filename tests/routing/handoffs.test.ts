/** Handoff: stop admitting, finish, flush, release. What is acknowledged moves along, what is not is repeated elsewhere. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { counterModel } from "../../src/simulation/checkers/counter.ts";
import { checkLinearizability } from "../../src/simulation/checkers/linearizability.ts";
import { OwnershipTrace } from "../../src/simulation/checkers/ownership.ts";
import { formatVerdict } from "../../src/simulation/checkers/verdict.ts";
import { type HistoryEvent, HistoryRecorder } from "../../src/simulation/history.ts";
import { pairOperations } from "../../src/simulation/operations.ts";
import { type Acting, counterSystem, Gate } from "../guarantees/counter-system.ts";
import type { TestNode, World } from "../guarantees/world.ts";
import { join, keyOf, ownerOf, startNodes, wideWorld } from "./nodes.ts";

/** Two nodes of which the second drains: all that it has goes to the first. */
async function drainSecond(world: World, options: Parameters<typeof startNodes>[2] = {}) {
  const [first, second] = await startNodes(world, ["node-1", "node-2"], options);
  const key = await keyOf(second!);
  return { first: first!, second: second!, key, drain: () => void second!.running.drain(30_000) };
}

/** No shard's commits at one epoch come from two nodes. */
function assertOneOwner(nodes: readonly TestNode[]): void {
  const trace = new OwnershipTrace();
  const commits = nodes.flatMap((node) => node.store.commits.map((commit) => ({ node: node.name, ...commit })));
  const accepted = commits.filter(({ result }) => result.status === "committed");
  const byEpoch = accepted.flatMap(({ node, batch }) =>
    batch.shards.map(({ shard, epoch }) => ({ shard, epoch, node, incarnation: batch.incarnation })),
  );
  byEpoch.sort((a, b) => a.epoch - b.epoch);
  for (const commit of byEpoch) assert.equal(trace.accept(commit), undefined);
}

test("a shard with undurable changes is released only when they are durable, and nothing is lost", async () => {
  await using world = wideWorld();
  const { first, second, key, drain } = await drainSecond(world);
  await first.answer("add", { key, input: 5 });
  const commits = second.store.hold("commit");
  // Without an id, here, so that nothing could be found again: this can only succeed by being flushed.
  const own = second.ask("add", { key, input: 1 });
  const far = first.ask("add", { key, input: 10 });
  await world.settle();
  assert.equal(commits.waiting, 1);
  drain();
  await world.advance(600);
  assert.equal(own.answer, undefined);
  assert.equal(await ownerOf(key, first), "node-2", "not released yet");
  const late = first.ask("add", { key, input: 100 });
  await world.advance(100);
  assert.equal(late.answer, undefined, "nothing is admitted any more");
  commits.release();
  await world.advance(700);
  assert.deepEqual([own.answer, far.answer, late.answer], ["6", "16", "116"]);
  assert.equal(await ownerOf(key, first), "node-1");
  assert.equal(await first.answer("value", { key }), "116");
  assertOneOwner([first, second]);
});

test("a handler that does not end holds the handoff up to its bound, and is repeated by the next owner", async () => {
  const gates = new Map<string, Gate>();
  const systemOf = (name: string) => {
    const gate = new Gate();
    gates.set(name, gate);
    const slowly = async (ctx: Acting): Promise<number> => {
      ctx.state.value += 1;
      await gate.pass();
      return ctx.state.value;
    };
    return counterSystem({ act: { slowly } });
  };
  await using world = wideWorld();
  const [first] = await startNodes(world, ["node-1"], { system: systemOf("node-1") });
  const [second] = await startNodes(world, ["node-2"], { system: systemOf("node-2") });
  const keys = [await keyOf(second!), await keyOf(second!, 1)];
  const far = first!.ask("act", { key: keys[0]!, input: "slowly" });
  const own = second!.ask("act", { key: keys[1]!, input: "slowly" });
  await world.settle();
  assert.equal(gates.get("node-2")!.visits, 2);
  void second!.running.drain(30_000);
  await world.advance(1_900);
  assert.equal(gates.get("node-1")!.visits, 0, "they may still finish");
  await world.advance(1_000);
  assert.equal(gates.get("node-1")!.visits, 2, "both run at the next owner");
  gates.get("node-2")!.open();
  await world.settle();
  assert.deepEqual([far.answer, own.answer], [undefined, undefined], "nobody listens to the abandoned ones");
  gates.get("node-1")!.open();
  assert.deepEqual([await world.until(far), await world.until(own)], ["1", "1"]);
  for (const key of keys) assert.equal(await first!.answer("value", { key }), "1");
});

test("a handler that ends in time keeps its caller, and the handoff waits for it", async () => {
  const gate = new Gate();
  const slowly = async (ctx: Acting): Promise<number> => {
    ctx.state.value += 1;
    await gate.pass();
    return ctx.state.value;
  };
  await using world = wideWorld();
  const { first, key, drain } = await drainSecond(world, { system: counterSystem({ act: { slowly } }) });
  const call = first.ask("act", { key, input: "slowly" });
  await world.settle();
  drain();
  await world.advance(1_000);
  gate.open();
  await world.settle();
  assert.equal(call.answer, "1");
  assert.equal(gate.visits, 1);
  await world.advance(1_000);
  assert.equal(await ownerOf(key, first), "node-1");
});

for (const [what, applied] of [
  ["was applied", true],
  ["never arrived", false],
] as const) {
  test(`after it has tried to release, a node never serves that epoch, though the answer is lost (the release ${what})`, async () => {
    await using world = wideWorld();
    const { first, second, key } = await drainSecond(world);
    await first.answer("add", { key, input: 5 });
    const { epoch } = await second.running.inspect("counter", key);
    let tried = 0;
    const undo = second.store.intercept("release", async (_request, forward) => {
      tried += 1;
      if (applied) await forward();
      throw new Error("the connection to the store was lost");
    });
    // A join and not a drain: a node that stays may claim again what it could not release.
    const third = await join(world, "node-3");
    for (let number = 0; tried === 0 && number < 20; number++) await world.advance(100);
    assert.ok(tried > 0);
    undo();
    const from = second.store.commits.length;
    for (const node of [second, first, third]) assert.match(await node.answer("add", { key, input: 1 }), /^\d$/);
    assert.equal(await second.answer("value", { key }), "8");
    const again = second.store.commits.slice(from).flatMap(({ batch }) => batch.shards);
    const moved = (await first.running.inspect("counter", key)).epoch > epoch;
    if (moved) assert.ok(again.every((shard) => shard.shard.service !== "counter" || shard.epoch > epoch));
    assertOneOwner([first, second, third]);
  });
}

test("a release whose answer is late: the former owner answers nothing from memory meanwhile", async () => {
  await using world = wideWorld();
  const { first, second, key, drain } = await drainSecond(world);
  await first.answer("add", { key, input: 5 });
  const answers = second.store.hold("release", "answers");
  drain();
  await world.advance(700);
  assert.ok(answers.waiting > 0);
  assert.equal(await ownerOf(key, first), "node-1", "its next heartbeat has shown it");
  assert.equal(await first.answer("add", { key, input: 1 }), "6");
  assert.equal(await second.answer("value", { key }), "6");
  answers.release();
});

test("a node that cannot release keeps its peace and tries again now and then", async () => {
  await using world = wideWorld();
  const { first, second, key, drain } = await drainSecond(world);
  await first.answer("add", { key, input: 5 });
  const mend = second.store.cut("release");
  drain();
  await world.advance(1_000);
  const tries = second.store.count("release");
  assert.ok(tries > 1 && tries < 30, `${tries} tries in a second`);
  mend();
  await world.advance(1_500);
  assert.equal(second.running.status().shardsOwned, 0);
  assert.equal(await first.answer("value", { key }), "5");
});

test("queries and commands are linearizable while their shards are handed to and fro", async () => {
  await using world = wideWorld();
  let nodes: readonly TestNode[] = await startNodes(world, ["node-1", "node-2"]);
  const started = [...nodes];
  const events: HistoryEvent[] = [];
  const recorder = new HistoryRecorder({ now: () => nodes[0]!.clock.monotonic(), emit: (event) => events.push(event) });
  let stop = false;
  const client = async (number: number): Promise<void> => {
    const process = recorder.client();
    for (let call = number; !stop; call++) {
      const [node, key] = [nodes[call % nodes.length]!, `key-${(call * 3) % 8}`];
      const f = call % 3 === 0 ? "add" : "read";
      process.invoke(f, key, f === "add" ? 1 : undefined);
      const asked = f === "add" ? node.ask("add", { key, input: 1 }) : node.ask("value", { key });
      process.ok(JSON.parse(await asked));
      await new Promise<void>((resolve) => node.clock.setTimer(7 + number, resolve));
    }
  };
  const clients = Array.from({ length: 6 }, (_, number) => client(number));
  for (const name of ["node-3", "node-4"]) {
    await world.advance(200);
    const joined = await join(world, name);
    started.push(joined);
    nodes = [...nodes, joined];
    await world.advance(200);
    const leaving = nodes[1]!;
    await world.until(leaving.running.drain(5_000));
    await world.advance(100);
    nodes = nodes.filter((node) => node !== leaving);
    await world.advance(50);
    await leaving.stop();
  }
  stop = true;
  await world.until(Promise.all(clients));
  const operations = pairOperations(events);
  assert.ok(operations.length > 500);
  const verdict = checkLinearizability(operations, counterModel());
  assert.equal(verdict.status, "holds", formatVerdict(verdict));
  assertOneOwner(started);
});
