/** What an operator hears of handlers that do not end, and of those that keep the event loop. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HandlerWatch } from "../../src/runtime/handler-watch.ts";
import type { Invocation } from "../../src/runtime/invocation.ts";
import { Rates, sagaSystem } from "../durable/saga-system.ts";
import { counterSystem, Gate } from "./counter-system.ts";
import { VirtualClock } from "./virtual-clock.ts";
import { type Sentence, type TestNode, World } from "./world.ts";

const forever = (): Promise<never> => new Promise(() => {});

function told(node: TestNode, pattern: RegExp): Sentence[] {
  return node.log.filter(({ message }) => pattern.test(message));
}

test("a handler that does not end is told of once: who it is, for which request, and for how long it has run", async () => {
  await using world = World.create();
  const node = await world.start({ system: counterSystem({ act: { hangs: forever } }) });
  void node.ask("act", { input: "hangs", timeoutMs: 1_000 });
  await world.advance(29_900);
  assert.deepEqual(told(node, /still runs/), []);
  await world.advance(1_000);
  const [line, ...others] = told(node, /still runs/);
  assert.deepEqual(others, []);
  assert.equal(line?.level, "warn");
  assert.match(line.message, /^counter\/a\.act still runs after 30\.\d s: its caller's deadline has passed$/);
  const { request, runningMs, ...rest } = line.fields!;
  assert.deepEqual(rest, { service: "counter", operation: "act", key: "a" });
  assert.ok(typeof request === "string" && request.length > 0);
  assert.ok(Number(runningMs) >= 30_000 && Number(runningMs) <= 31_000, String(runningMs));
  await world.advance(90_000);
  assert.equal(told(node, /still runs/).length, 1);
});

test("an operation is told of once a minute, with how many of its handlers were left out; another one has its own minute", async () => {
  await using world = World.create();
  const node = await world.start({ system: counterSystem({ act: { hangs: forever }, look: { hangs: forever } }) });
  const hang = (key: string): void => void node.ask("act", { key, input: "hangs", timeoutMs: 1_000 });
  for (const key of ["a", "b", "c"]) hang(key);
  void node.ask("look", { input: "hangs", timeoutMs: 1_000 });
  await world.advance(31_000);
  assert.deepEqual(
    told(node, /still runs/).map(({ fields }) => fields!.operation),
    ["act", "look"],
  );
  await world.advance(40_000);
  hang("d");
  await world.advance(31_000);
  const last = told(node, /still runs/).at(-1)!;
  assert.equal(told(node, /still runs/).length, 3);
  assert.deepEqual([last.fields!.key, last.fields!.untold], ["d", 2]);
});

test("a handler whose caller gave it more time is not told of before that is over, and one that ends in it never", async () => {
  const gate = new Gate();
  await using world = World.create();
  const node = await world.start({ system: counterSystem({ act: { hangs: forever, waits: () => gate.pass() } }) });
  const waiting = node.ask("act", { input: "waits", timeoutMs: 120_000 });
  void node.ask("act", { key: "b", input: "hangs", timeoutMs: 120_000 });
  await world.advance(110_000);
  gate.open();
  assert.equal(await world.until(waiting), "done");
  await world.advance(9_900);
  assert.deepEqual(told(node, /still runs/), []);
  await world.advance(10_000);
  assert.deepEqual(
    told(node, /still runs/).map(({ fields }) => fields!.key),
    ["b"],
  );
});

test("a durable command that hangs is told of while it keeps the turn, with what it waits for", async () => {
  const hangs = {
    run: {
      hangs: async (ctx: { step(name: string, act: () => unknown): unknown }) => await ctx.step("print", forever),
    },
  };
  await using world = World.create();
  const node = await world.start({ system: sagaSystem(hangs) });
  void node.ask("run", { service: "saga", key: "one", input: "hangs", id: "k" });
  await world.advance(31_000);
  const [line] = told(node, /still runs/);
  assert.match(line?.message ?? "", /^saga\/one\.run still runs after 30\.\d s: it keeps the turn of its entity$/);
  assert.deepEqual(line?.fields?.waitsFor, ["step print"]);
});

test("of handlers beyond the bound nothing is told, and none of them is kept", () => {
  const watchedMax = 10_000;
  const clock = new VirtualClock();
  const sentences: (Record<string, unknown> | undefined)[] = [];
  const write = (_message: string, fields?: Record<string, unknown>): void => void sentences.push(fields);
  const watch = new HandlerWatch(clock, { debug: write, info: write, warn: write, error: write });
  watch.start();
  const service = { interface: { name: "counter" } };
  const invocation = (key: string): Invocation => {
    const target = { service, key, name: "act", operation: { durable: false } };
    return { target, requestId: key, deadline: 0 } as unknown as Invocation;
  };
  const pass = (ms: number): void => {
    for (let passed = 0; passed < ms; passed += 500) {
      clock.pass(500);
      clock.fireDue();
    }
  };
  for (let at = 0; at < watchedMax + 3; at++) watch.waitsFor(invocation(`k${at}`), clock.monotonic());
  pass(31_000);
  assert.equal(sentences.length, 1, "once a minute");
  pass(60_000);
  watch.waitsFor(invocation("late"), clock.monotonic());
  pass(31_000);
  assert.deepEqual([sentences[1]?.key, sentences[1]?.untold], ["late", watchedMax - 1]);
  watch.stop();
});

test("an attempt that is over because its callee waits leaves no handler behind to be told of", async () => {
  const script = async (ctx: { to(callee: typeof Rates): { rate(): Promise<number> } }): Promise<number> =>
    await ctx.to(Rates).rate();
  await using world = World.create();
  const system = sagaSystem({ rate: forever, run: { order: script } });
  const limits = { attemptTimeoutMs: 20_000, timeoutDefaultMs: 30_000 };
  const node = await world.start({ system, limits });
  void node.ask("run", { service: "saga", key: "one", input: "order", id: "k" });
  await world.advance(45_000);
  assert.ok(told(node, /had no answer within the attempt/).length > 0);
  assert.deepEqual(told(node, /^saga.* still runs/), []);
});

/** A handler that keeps the event loop: virtual time passes while it runs. */
function keeping(ms: number, { after }: { readonly after?: () => Promise<void> } = {}) {
  let node: TestNode | undefined;
  const keeps = (): unknown => {
    if (after === undefined) return void node!.clock.pass(ms);
    return after().then(() => node!.clock.pass(ms));
  };
  const start = async (world: World): Promise<TestNode> => {
    node = await world.start({ system: counterSystem({ look: { keeps: keeps as () => never } }) });
    return node;
  };
  return { start };
}

test("an event loop that stood still is told of, with the handler that kept it, and once a minute", async () => {
  await using world = World.create();
  const node = await keeping(1_700).start(world);
  await node.answer("look", { input: "keeps" });
  await world.advance(1_000);
  const [line, ...others] = told(node, /event loop/);
  assert.deepEqual(others, []);
  assert.match(
    line?.message ?? "",
    /^the event loop stood still for at least 1\.\d s: counter\/a\.look \(1\.7 s, request \S+\) kept it$/,
  );
  await node.answer("look", { input: "keeps" });
  await world.advance(1_000);
  assert.equal(told(node, /event loop/).length, 1);
  await world.advance(60_000);
  await node.answer("look", { input: "keeps" });
  await world.advance(1_000);
  assert.deepEqual(
    told(node, /event loop/).map(({ fields }) => fields!.untold),
    [undefined, 1],
  );
});

test("when no handler is known to have kept the event loop, those that were under way are named", async () => {
  const gate = new Gate();
  await using world = World.create();
  const node = await keeping(1_700, { after: () => gate.pass() }).start(world);
  const asked = node.ask("look", { input: "keeps" });
  await world.advance(100);
  gate.open();
  await world.until(asked);
  await world.advance(1_000);
  const [line] = told(node, /event loop/);
  assert.match(line?.message ?? "", /stood still for at least 1\.\d s: a handler kept it, or the process was stopped$/);
  assert.match(String(line?.fields?.underWay), /^counter\/a\.look \(1\.8 s, request \S+\)$/);
});

test("an event loop that is late by less than a second is nobody's business", async () => {
  await using world = World.create();
  const node = await keeping(900).start(world);
  await node.answer("look", { input: "keeps" });
  await world.advance(1_000);
  assert.deepEqual(told(node, /event loop/), []);
});
