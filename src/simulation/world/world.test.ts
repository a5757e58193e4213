import assert from "node:assert/strict";
import { test } from "node:test";
import { EventQueue } from "./event-queue.ts";
import { MachineClock } from "./machine-clock.ts";
import { Process } from "./process.ts";
import { World } from "./world.ts";

function newWorld(seed: number = 1): World {
  return new World({
    seed,
    onThrown: (error) => {
      throw error;
    },
  });
}

function newProcess(world: World): Process {
  return new Process(world, "node-1", 1, new MachineClock(world, { monotonicMs: 1_000, offsetMs: 0 }));
}

test("events leave the queue by instant, then by tie, then by number", () => {
  const queue = new EventQueue();
  const world = newWorld();
  const prng = world.prng("test");
  const events = Array.from({ length: 2_000 }, (_, number) => {
    return { at: prng.below(50), tie: prng.below(3), number, run: null };
  });
  for (const event of events) queue.add(event);
  const taken = events.map(() => queue.take()!);
  const sorted = events.toSorted((a, b) => a.at - b.at || a.tie - b.tie || a.number - b.number);
  assert.deepEqual(taken, sorted);
  assert.equal(queue.take(), undefined);
});

test("an event at no instant at all is refused", () => {
  const world = newWorld();
  assert.throws(() => world.after(Number.NaN, () => {}), /an event of the world happens at an instant/);
  assert.equal(world.pendingEvents, 0);
});

test("time stands still until everything that an event set off has run", async () => {
  const world = newWorld();
  const seen: string[] = [];
  world.after(1, () => {
    void (async () => {
      for (let step = 0; step < 50; step++) await null;
      process.nextTick(() => void Promise.resolve().then(() => seen.push(`first at ${world.now}`)));
    })();
  });
  world.after(1.001, () => seen.push(`second at ${world.now}`));
  await world.run(10);
  assert.deepEqual(seen, ["first at 1", "second at 1.001"]);
  assert.equal(world.now, 10);
});

test("ties are decided by the seed", async () => {
  const orderOf = async (seed: number): Promise<string> => {
    const world = newWorld(seed);
    const order: number[] = [];
    for (let index = 0; index < 10; index++) world.after(5, () => order.push(index));
    await world.run(10);
    return order.join("");
  };
  assert.equal(await orderOf(1), await orderOf(1));
  assert.notEqual(await orderOf(1), await orderOf(2));
});

test("a timer fires when its machine's clock says so, however fast that runs", async () => {
  const world = newWorld();
  const running = newProcess(world);
  const clock = running.clock();
  running.machineClock.setRate(0.5);
  let firedAt = 0;
  clock.setTimer(100, () => {
    firedAt = world.now;
    assert.ok(clock.monotonic() >= 1_100);
  });
  await world.run(300);
  assert.equal(firedAt, 200);
});

test("soon keeps its order, and a cancelled timer does not fire", async () => {
  const world = newWorld();
  const clock = newProcess(world).clock();
  const order: number[] = [];
  for (let index = 0; index < 20; index++) clock.soon(() => order.push(index));
  clock.setTimer(1, () => order.push(-1)).cancel();
  await world.run(10);
  assert.deepEqual(
    order,
    Array.from({ length: 20 }, (_, index) => index),
  );
});

test("a paused process finds everything when it goes on, and a dead one nothing", async () => {
  const world = newWorld();
  const running = newProcess(world);
  const seen: string[] = [];
  running.pause();
  running.deliver(() => seen.push("message"));
  running.clock().setTimer(5, () => seen.push("timer"));
  await world.run(50);
  assert.equal(seen.length, 0);
  running.resume();
  await world.run(100);
  assert.deepEqual(seen, ["timer", "message"]);
  running.kill();
  running.deliver(() => seen.push("late"));
  await world.run(150);
  assert.equal(seen.length, 2);
});

test("two waits at a time go on when what held the world is done", { timeout: 10_000 }, async () => {
  const world = newWorld();
  world.after(5, () => world.hold(new Promise((resolve) => setTimeout(resolve, 20))));
  await Promise.all([world.run(10), world.run(10)]);
  assert.equal(world.now, 10);
});

test("while a machine sleeps its monotonic clock stands still and its wall clock does not", async () => {
  const world = newWorld();
  const running = newProcess(world);
  const { machineClock } = running;
  const wall = machineClock.wall();
  let firedAt = 0;
  running.clock().setTimer(100, () => {
    firedAt = world.now;
  });
  running.pause();
  machineClock.suspend();
  await world.run(1_000);
  assert.equal(machineClock.monotonic(), 1_000);
  assert.equal(machineClock.wall(), wall + 1_000);
  machineClock.wake();
  running.resume();
  await world.run(2_000);
  assert.ok(firedAt >= 1_100 && firedAt < 1_101, String(firedAt));
});
