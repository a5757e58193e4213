/** What user code sees of the world it runs in: its clocks, timers and chance are those of its node. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash, scryptSync } from "node:crypto";
import fs from "node:fs";
import { test } from "node:test";
import timersPromises from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { loadScenario, simulate } from "../../src/simulation/index.ts";
import { startSystem } from "./one-node.ts";
import { names } from "./surroundings/refused-system.ts";

const reading = new URL("surroundings/system.ts", import.meta.url);
const reaching = new URL("surroundings/refused-system.ts", import.meta.url);
const calledBack = new URL("surroundings/callback-system.ts", import.meta.url);

interface Clocks {
  readonly ahead: number;
  readonly took: number;
  readonly tookMonotonic: number;
  readonly date: string;
  readonly local: number;
  readonly aliveMs: number;
  readonly ticks: number;
}

test("Date and performance are the clocks of the machine, which run fast and are set", async () => {
  await using system = await startSystem(reading, { keepTrace: true });
  const { cluster } = system;
  const read = (await system.ask("clocks")) as Clocks;
  assert.equal(read.ahead, 0, "the time of the handler is that of Date");
  assert.ok(read.took >= 250 && read.took <= 252, `${read.took} ms`);
  assert.equal(read.date, "2026-01-01");
  assert.equal(read.local, 0, "local time is UTC");
  assert.ok(Math.abs(read.ticks - read.aliveMs / 100) <= 1, "an interval of the module ticks");

  cluster.skew("node-1", { rate: 3, jumpMs: 86_400_000 });
  const later = (await system.ask("clocks")) as Clocks;
  assert.equal(later.date, "2026-01-02", "somebody has set the time of the day");
  assert.ok(later.tookMonotonic >= 250, `${later.tookMonotonic} ms by its own clock`);
  const { startedAt } = cluster.judge.operations.at(-1)!.runs[0]!;
  const endedAt = cluster.world.trace.lines.findLast(({ what }) => what === "ran")!.at;
  assert.ok(endedAt - startedAt < 100, `${endedAt - startedAt} ms in the world`);
});

test("timers of every kind come in their order, in no real time", async () => {
  await using system = await startSystem(reading);
  const order = ["microtask", "immediate", "10", "tick", "20", "tick", "promisified", "AbortError", "TimeoutError"];
  assert.deepEqual(await system.ask("timers"), order);
});

test("a callback finds what its caller's own AsyncLocalStorage had", async () => {
  await using system = await startSystem(calledBack);
  const stores = (await system.ask("stores")) as unknown[];
  assert.deepEqual(stores, [...stores.keys()]);
});

test("a time limit that is no number has Node's error, and time goes on", async () => {
  await using system = await startSystem(calledBack);
  assert.equal(await system.ask("endless"), "ERR_OUT_OF_RANGE");
  await system.cluster.advance(1_000);
  assert.ok(system.cluster.world.now >= 1_000);
  assert.deepEqual(system.cluster.judge.violations, []);
});

test("Temporal tells the time of the machine", async () => {
  const program = fileURLToPath(new URL("surroundings/temporal-now.ts", import.meta.url));
  const flags = "Temporal" in globalThis ? [] : ["--harmony-temporal"];
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, "--conditions=synod-source", program]);
  const [date, ...read] = JSON.parse(stdout) as [string, ...string[]];
  const [day, time] = date.slice(0, -1).split("T") as [string, string];
  assert.equal(day, "2026-01-01");
  // Temporal leaves out zeros at the end.
  const short = time.replace(/\.?0+$/, "");
  assert.deepEqual(read, [`${day}T${short}Z`, `${day}T${short}+00:00[UTC]`, `${day}T${short}`, day, short]);
});

test("each process has a number, and each machine a name, of the run", async () => {
  await using system = await startSystem(calledBack);
  assert.equal(await system.ask("machine"), "1 on node-1");
  system.cluster.crash("node-1");
  await system.cluster.until(() => !system.cluster.serves, 1_000);
  await system.cluster.until(() => system.cluster.serves, 10_000);
  assert.equal(await system.ask("machine"), "2 on node-1");
});

test("chance comes from the seed", async () => {
  const drawn: unknown[] = [];
  for (const seed of [1, 1, 2]) {
    await using system = await startSystem(reading, { seed });
    drawn.push(await system.ask("chance"));
  }
  const [first, again, other] = drawn as [unknown[], unknown[], unknown[]];
  assert.deepEqual(first, again);
  for (const [index, value] of first.entries()) assert.notEqual(value, other[index], `number ${index}`);
  assert.match(String(first[1]), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test("work of other threads has its result, and the world waits for it", async () => {
  await using system = await startSystem(reading);
  const startedAt = system.cluster.world.now;
  const [derived, digest, length] = (await system.ask("threads")) as string[];
  assert.equal(derived, scryptSync("password", "salt", 8, { N: 2 }).toString("hex"));
  assert.equal(digest, createHash("sha256").update(new Uint8Array(3)).digest("hex"));
  assert.ok(Number(length) > 4);
  assert.ok(system.cluster.world.now - startedAt < 1_000);
});

test("signatures that are the same each time are made, and the world waits for them", async () => {
  await using system = await startSystem(calledBack);
  assert.deepEqual(await system.ask("signature"), [true, 32, true]);
  assert.deepEqual(system.cluster.judge.violations, []);
});

test("what user code prints is in the trace of its node, and not in its hash", async () => {
  await using system = await startSystem(reading, { keepTrace: true });
  const { trace } = system.cluster.world;
  await system.ask("clocks");
  const printed = trace.lines.filter(({ what }) => what === "prints").map(({ where, text }) => `${where}: ${text}`);
  assert.deepEqual(printed, ["node-1: read the clocks"]);
  const hash = trace.digest();
  trace.aside("node-1", "prints", "more");
  assert.equal(trace.digest(), hash);
});

test("the outside world is refused by name, file and line, even to a handler that catches the error", async () => {
  await using system = await startSystem(reaching);
  const { violations } = system.cluster.judge;
  assert.ok(names.length > 20);
  for (const name of names) {
    violations.length = 0;
    assert.equal(await system.ask("reach", name), false, `${name} was not refused`);
    assert.equal(violations.length, 1, name);
    const { promise, text } = violations[0]!;
    assert.equal(promise, "no outside world");
    assert.ok(text.startsWith("node-1: user code ") && text.includes(name), text);
    assert.match(text.split("\n")[1] ?? "", /refused-system\.ts:\d+$/);
  }
});

test("each process has its own of every kind of module, be it imported by a handler", async () => {
  await using system = await startSystem(reaching, { nodes: 1 });
  assert.equal(await system.ask("load"), 2);
  assert.equal(await system.ask("load"), 3);
  assert.equal(await system.ask("require"), 1);
  assert.equal(await system.ask("require"), 2);
  system.cluster.crash("node-1");
  await system.cluster.until(() => !system.cluster.serves, 1_000);
  await system.cluster.until(() => system.cluster.serves, 10_000);
  assert.equal(await system.ask("load"), 2, "what a module kept is gone with its process");
  assert.equal(await system.ask("require"), 1, "and what one of CommonJS kept");
  assert.deepEqual(system.cluster.judge.violations, []);
});

test("a run leaves nothing behind", async () => {
  const looked = () => [
    ...[Date, setTimeout, setInterval, setImmediate, clearTimeout, fetch, WebSocket, Math.random, Date.now],
    ...[fs.readFileSync, timersPromises.setTimeout, process.exit, process.hrtime, process.hrtime.bigint],
    ...[Date.prototype.constructor, AbortSignal.timeout, Crypto.prototype.randomUUID, process.stdout.write],
    ...["now", "mark", "timeOrigin"].map((name) => Object.getOwnPropertyDescriptor(performance, name)),
    process.env.TZ,
  ];
  const before = looked();
  const scenario = { ...(await loadScenario(reading)), durationMs: 1_000 };
  let during: unknown[] = [];
  const run = simulate({ scenario, seed: 1 });
  setImmediate(() => {
    during = looked();
  });
  await run;
  assert.deepEqual(looked(), before);
  for (const [index, value] of before.entries()) assert.notEqual(during[index], value, `number ${index} was replaced`);
});

test("code that no simulation runs keeps the real world, in the middle of a run", async () => {
  const scenario = { ...(await loadScenario(reading)), durationMs: 1_000 };
  const before = Date.now();
  const run = simulate({ scenario, seed: 1 });
  const { promise, resolve } = Promise.withResolvers<number>();
  setTimeout(() => resolve(Date.now()), 2);
  const passedMs = (await promise) - before;
  assert.ok(passedMs >= 1 && passedMs < 60_000, `${passedMs} ms by the real clock`);
  assert.ok(fs.existsSync(reading));
  await run;
});
