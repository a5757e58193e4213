/** Timers: they fire once, at their time, unless they were cancelled or set anew before (guarantee G5). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type TestNode, World } from "../guarantees/world.ts";
import { mailSystem } from "./mail-system.ts";

const rung = (node: TestNode, key = "p"): Promise<string> => node.answer("rung", { service: "post", key });
const set = (name: string, afterMs: number, text: string, key = "p") => {
  return { service: "post", key, input: { name, afterMs, text } };
};
const cancel = (name: string, key = "p") => ({ service: "post", key, input: name });

test("a timer runs its command once, not before its time and within 100 ms of it", async () => {
  await using world = World.create();
  const node = await world.start({ system: mailSystem() });
  await node.answer("set", set("t", 60_000, "ding"));
  await world.advance(59_900);
  assert.equal(await rung(node), "[]");
  await world.advance(200);
  assert.equal(await rung(node), '["ding"]');
  await world.advance(600_000);
  assert.equal(await rung(node), '["ding"]');
});

test("a timer that is set anew runs what was set last; a cancelled one runs nothing", async () => {
  await using world = World.create();
  const node = await world.start({ system: mailSystem() });
  await node.answer("set", set("t", 1_000, "early"));
  await node.answer("set", set("t", 5_000, "late"));
  await node.answer("set", set("u", 1_000, "never"));
  await node.answer("cancel", cancel("u"));
  await world.advance(4_000);
  assert.equal(await rung(node), "[]");
  await world.advance(2_000);
  assert.equal(await rung(node), '["late"]');
});

for (const [what, operation, input] of [
  ["cancels it", "cancel", "t"],
  ["sets it anew", "set", { name: "t", afterMs: 60_000, text: "later" }],
] as const) {
  test(`a command that ${what} wins over the timer, though it is not durable yet when that is due`, async () => {
    await using world = World.create();
    const node = await world.start({ system: mailSystem() });
    await node.answer("set", set("t", 100, "ding"));
    const hold = node.store.hold("commit");
    const changed = node.ask(operation, { service: "post", key: "p", input });
    await world.advance(300);
    assert.equal(changed.answer, undefined, "it waits for its commit");
    hold.release();
    await world.until(changed);
    await world.advance(5_000);
    assert.equal(await rung(node), "[]");
    await world.advance(60_000);
    assert.equal(await rung(node), operation === "set" ? '["later"]' : "[]");
  });
}

test("a cancel that was not written leaves the timer as it was", async () => {
  await using world = World.create();
  const node = await world.start({ system: mailSystem() });
  await node.answer("set", set("t", 1_000, "ding"));
  const undo = node.store.intercept("commit", (batch, forward) => {
    const clears = batch.shards.some(({ entities }) => entities.some(({ work }) => work?.timersCleared.includes("t")));
    return clears ? Promise.resolve({ status: "refused", error: new Error("no") as never }) : forward();
  });
  assert.match(await node.answer("cancel", cancel("t")), /not-happened/);
  undo();
  await world.advance(2_000);
  assert.equal(await rung(node), '["ding"]');
});

test("a timer survives its owner, whether it was due before or after the failover", async () => {
  await using world = World.create();
  const first = await world.start({ system: mailSystem() });
  await first.answer("set", set("soon", 1_000, "soon"));
  await first.answer("set", set("far", 60_000, "far"));
  first.kill();
  const second = await world.start({ system: mailSystem(), node: "node-2" });
  await world.advance(5_000);
  assert.equal(await rung(second), '["soon"]');
  await world.advance(60_000);
  assert.equal(await rung(second), '["soon","far"]');
});

test("a timer whose command was committed without the node's knowing it does not run again", async () => {
  await using world = World.create();
  const first = await world.start({ system: mailSystem() });
  await first.answer("set", set("t", 1_000, "ding"));
  const answers = first.store.hold("commit", "answers");
  await world.advance(1_500);
  assert.equal(answers.waiting, 1, "its command is written");
  first.kill();
  const second = await world.start({ system: mailSystem(), node: "node-2" });
  await world.advance(10_000);
  assert.equal(await rung(second), '["ding"]');
});

test("a command may set its own timer again", async () => {
  await using world = World.create();
  const node = await world.start({ system: mailSystem() });
  await node.answer("set", set("t", 100, "one"));
  await world.advance(1_000);
  await node.answer("set", set("t", 100, "two"));
  await world.advance(1_000);
  assert.equal(await rung(node), '["one","two"]');
});

test("a timer whose command throws is tried again, and parked with its reason after its attempts", async () => {
  await using world = World.create();
  let tries = 0;
  const ring = (): void => {
    tries += 1;
    throw new Error("broken bell");
  };
  const node = await world.start({ system: mailSystem({ ring }), limits: { deliveryAttemptsMax: 3 } });
  await node.answer("set", set("t", 100, "ding"));
  await world.advance(120_000);
  assert.equal(tries, 3);
  const { work: messages } = await world.until(node.running.work({ boxes: ["outbox"], parked: true }));
  assert.equal(messages.length, 1);
  const { code, message, thrown } = messages[0]!.parked!;
  assert.equal(code, "internal");
  assert.match(message, /failed 3 times, the last time: post\/p\.ring failed/);
  assert.match(thrown!, /^Error: broken bell, at .*timers\.test\.ts:\d+/, "for operators");
  assert.equal(messages[0]!.to?.key, "p");
});

test("a timer whose command ends its node each time is parked after its attempts, and no more nodes end", async () => {
  await using world = World.create();
  let ends = 0;
  const system = mailSystem({
    ring: () => {
      ends += 1;
      world.nodes.at(-1)!.kill();
    },
  });
  const limits = { deliveryAttemptsMax: 3 };
  let node = await world.start({ system, limits });
  await node.answer("set", set("t", 100, "ding"));
  // The first try is its setter's own, which nobody counted before.
  for (const successor of ["b", "c", "d", "e"]) {
    await world.advance(20_000);
    node = await world.start({ system, limits, node: successor });
  }
  await world.advance(60_000);
  const { work } = await world.until(node.running.work({ boxes: ["outbox"], parked: true }));
  assert.deepEqual(
    work.map(({ parked }) => parked!.code),
    ["unavailable"],
  );
  assert.match(work[0]!.parked!.message, /its node went away over the command ring of timer t/);
  assert.equal(ends, 4, "one that nobody had counted, and three that were");
});

test("a parked timer that an operator retries runs its command as a message", async () => {
  await using world = World.create();
  let broken = true;
  const ring = (): void => {
    if (broken) throw new Error("broken bell");
  };
  const node = await world.start({ system: mailSystem({ ring }), limits: { deliveryAttemptsMax: 2 } });
  await node.answer("set", set("t", 100, "ding"));
  await world.advance(60_000);
  broken = false;
  const { work: messages } = await world.until(node.running.work({ boxes: ["outbox"], parked: true }));
  await world.until(node.running.operate(messages[0]!.id, "retry"));
  await world.advance(1_000);
  assert.equal(await rung(node), '["ding"]');
});

test("a timer runs a durable command: its acceptance clears it", async () => {
  await using world = World.create();
  const node = await world.start({ system: mailSystem() });
  await node.answer("setToll", set("t", 100, "bell"));
  await world.advance(60_000);
  assert.equal(await rung(node), '["bell tolled"]');
});

test("a delayed message survives its owner and is sent once", async () => {
  await using world = World.create();
  const first = await world.start({ system: mailSystem() });
  await first.answer("send", { service: "post", key: "p", input: { to: "b", texts: ["x"], after: 10_000 } });
  await world.advance(9_990);
  const answers = first.store.hold("commit", "answers");
  await world.advance(100);
  assert.equal(answers.waiting, 1, "it is released");
  first.kill();
  const second = await world.start({ system: mailSystem(), node: "node-2" });
  await world.advance(30_000);
  assert.equal(await second.answer("letters", { service: "box", key: "b" }), '["p:x"]');
});

test("a wall clock that jumps ahead is noticed within seconds", async () => {
  await using world = World.create();
  const node = await world.start({ system: mailSystem() });
  await node.answer("set", set("t", 3_600_000, "ding"));
  node.clock.jumpWall(3_600_000);
  await world.advance(15_000);
  assert.equal(await rung(node), '["ding"]');
});

test("with 100,000 timers far away a node does nothing but its heartbeats", async () => {
  const perSecond = async (timers: number): Promise<{ reads: number; commits: number }> => {
    await using world = World.create();
    const node = await world.start({
      system: mailSystem(),
      limits: { sendsPerCommandMax: 20_000, timersPerEntityMax: 10_000 },
    });
    for (let made = 0; made < timers; made += 10_000) {
      const texts = Array.from({ length: 10_000 }, () => "x");
      const input = { to: "b", texts, after: 30 * 86_400_000 };
      await node.answer("send", { service: "post", key: `p${made}`, input });
    }
    await world.advance(1_000);
    const [reads, commits] = [node.store.count("read"), node.store.count("commit")];
    await world.advance(60_000);
    return { reads: node.store.count("read") - reads, commits: node.store.count("commit") - commits };
  };
  const without = await perSecond(0);
  assert.deepEqual(await perSecond(100_000), without);
});

test("1,000 messages of one instant leave in their order, from pages that are read as the earlier ones have gone", async () => {
  await using world = World.create("memory", 1);
  const node = await world.start({ system: mailSystem(), limits: { timersInMemoryMax: 80 } });
  const texts = Array.from({ length: 1_000 }, (_, index) => String(index));
  await node.answer("send", { service: "post", key: "p", input: { to: "b", texts, after: 10_000 } });
  await world.advance(15_000);
  const letters = await node.answer("letters", { service: "box", key: "b" });
  assert.equal(letters, JSON.stringify(texts.map((text) => `p:${text}`)));
});
