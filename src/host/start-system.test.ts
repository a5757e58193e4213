import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { z } from "zod";
import { http } from "../adapters/http/index.ts";
import { SynodError } from "../errors.ts";
import { implement } from "../service/implement.ts";
import { command, defineInterface, query } from "../service/interface.ts";
import { defineSystem } from "../service/system.ts";
import { startSystem } from "./start-system.ts";

const Counter = defineInterface("counter", {
  key: z.string(),
  operations: {
    add: command({ input: z.number(), output: z.number(), errors: { tooMuch: z.object({ count: z.number() }) } }),
    count: query({ output: z.number() }),
    forget: command({}),
    whoCalls: query({ output: z.string() }),
  },
});
const Echo = defineInterface("echo", { operations: { say: query({ input: z.string(), output: z.string() }) } });

const counter = implement(Counter, {
  state: { version: 1, initial: () => ({ count: 0 }) },
  operations: {
    add: (ctx, step) => {
      if (step > 100) throw ctx.fail("tooMuch", ctx.state);
      ctx.state.count += step;
      return ctx.state.count;
    },
    count: (ctx) => ctx.state.count,
    forget: (ctx) => ctx.clear(),
    whoCalls: (ctx) => ctx.request.principal,
  },
});
const echo = implement(Echo, { operations: { say: (_ctx, text) => text } });
const system = defineSystem({ name: "counters", services: [counter, echo], adapters: [http({ port: 0 })] });

test("a system in this process answers typed calls of keyed and stateless services", async () => {
  await using running = await startSystem(system, { principal: "tester" });
  assert.equal(await running.to(Counter, "a").add(2), 2);
  assert.equal(await running.to(Counter, "a").count(), 2);
  assert.equal(await running.to(Counter, "a").forget(), undefined);
  assert.equal(await running.to(Counter, "a").count(), 0);
  assert.equal(await running.to(Counter, "a").whoCalls(), "tester");
  assert.equal(await running.to(Echo).say("hello"), "hello");
  assert.equal(running.gateway.state, "ready");
  assert.deepEqual(running.urls, []);
});

test("a declared error is thrown, or returned by `safe`, with its data", async () => {
  await using running = await startSystem(system);
  const result = await running.to(Counter, "a").add.safe(101);
  assert.ok(!result.ok && result.error.code === "tooMuch");
  assert.deepEqual(result.error.data, { count: 0 });
  await assert.rejects(running.to(Counter, "a").add(101), (error) => error instanceof SynodError && error.declared);
  assert.deepEqual(await running.to(Counter, "a").add.safe(1), { ok: true, value: 1 });
});

test("what no schema takes is refused with its path, before or by the service", async () => {
  await using running = await startSystem(system);
  const wrong = running.to(Counter, "a") as unknown as { add: (input: unknown) => Promise<unknown> };
  await assert.rejects(wrong.add("two"), (error) => error instanceof SynodError && error.code === "invalid_argument");
  await assert.rejects(wrong.add({ at: new Date() }), /counter\.add/);
  assert.throws(() => (running.to as (target: unknown) => unknown)(Counter), /service counter is keyed: give its key/);
});

test("the same id takes effect once", async () => {
  await using running = await startSystem(system);
  const once = running.to(Counter, "a", { id: "once" });
  assert.equal(await once.add(2), 2);
  assert.equal(await once.add(2), 2);
  assert.equal(await running.to(Counter, "a").count(), 2);
});

test("a store in a file outlives the system, adapters listen when asked to, and a stop is repeatable", async () => {
  const folder = mkdtempSync(join(tmpdir(), "synod-start-"));
  const store = `sqlite:${join(folder, "counters.db")}`;
  try {
    const first = await startSystem(system, { store, adapters: true });
    await first.to(Counter, "a").add(3);
    const answer = await fetch(new URL("/counter/a/count", first.urls[0]));
    assert.equal(await answer.json(), 3);
    await Promise.all([first.stop(), first.stop(0)]);
    await assert.rejects(
      first.to(Counter, "a").count(),
      (error) => error instanceof SynodError && error.code === "unavailable",
    );
    await assert.rejects(fetch(first.urls[0]!));
    await using second = await startSystem(system, { store });
    assert.equal(await second.to(Counter, "a").count(), 3);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
