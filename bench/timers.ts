/**
 * How late timers fire, and what they cost while they are not due: `node --conditions=synod-source bench/timers.ts`.
 *
 * One node on SQLite. First its processor time per second without timers, then with 100,000 of them far away, then
 * 100,000 more that are due over one minute: how much later than its instant each one's command ran, ms.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { command, defineInterface, defineSystem, implement } from "synod";
import { z } from "zod";
import { openSqliteStore } from "../src/adapters/sqlite/store.ts";
import { systemClock } from "../src/adapters/system/clock.ts";
import { systemRandom } from "../src/adapters/system/random.ts";
import { startNode } from "../src/runtime/node.ts";

const timers = 100_000;
const perCommand = 1_000;
const idleMs = 10_000;
const spreadMs = 60_000;

const lateMs: number[] = [];
const Bell = defineInterface("bell", {
  key: z.string(),
  operations: {
    set: command({ input: z.object({ count: z.number(), firstMs: z.number(), stepMs: z.number() }) }),
    ring: command({ input: z.number() }),
  },
});
const bell = implement(Bell, {
  sends: [Bell],
  state: { version: 1, initial: () => null },
  operations: {
    set: (ctx, { count, firstMs, stepMs }) => {
      for (let index = 0; index < count; index++) {
        const at = Math.ceil(ctx.now + firstMs + index * stepMs);
        ctx.timer(`t${index}`).set({ at }).ring(at);
      }
    },
    ring: (_ctx, at) => {
      lateMs.push(Date.now() - at);
    },
  },
});

const folder = mkdtempSync(join(tmpdir(), "synod-timers-"));
const store = await openSqliteStore({ path: join(folder, "store.db"), system: "bells" });
const log = { debug: () => {}, info: () => {}, warn: console.error, error: console.error };
const system = defineSystem({ name: "bells", services: [bell] });
const node = await startNode({ node: "node-1", system, store, clock: systemClock, random: systemRandom, log });

async function set(prefix: string, firstMs: number, stepMs: number): Promise<void> {
  for (let made = 0; made < timers / perCommand; made++) {
    const input = JSON.stringify({ count: perCommand, firstMs, stepMs });
    const call = { service: "bell", key: `${prefix}${made}`, operation: "set", input, principal: "bench" };
    const reply = await node.gateway.call({ ...call, timeoutMs: 60_000 });
    if (!reply.ok) throw new Error(reply.error.message);
  }
}

async function idleCpuMsPerSecond(): Promise<number> {
  const before = process.cpuUsage();
  await sleep(idleMs);
  const { user, system: kernel } = process.cpuUsage(before);
  return (user + kernel) / 1_000 / (idleMs / 1_000);
}

await sleep(3_000);
const without = await idleCpuMsPerSecond();
await set("far", 30 * 86_400_000, 1);
await sleep(3_000);
const withTimers = await idleCpuMsPerSecond();
await set("near", 20_000, spreadMs / perCommand);
const deadline = Date.now() + 20_000 + spreadMs + 60_000;
while (lateMs.length < timers && Date.now() < deadline) await sleep(500);
lateMs.sort((a, b) => a - b);
const quantile = (q: number): number =>
  lateMs[Math.min(lateMs.length - 1, Math.floor(q * lateMs.length))] ?? Number.NaN;
console.table({
  "idle, processor ms per s": { without, "with 100,000 timers": withTimers },
  "late, ms": { fired: lateMs.length, p50: quantile(0.5), p99: quantile(0.99), worst: quantile(1) },
});
console.log(`load average ${loadavg()[0]?.toFixed(1)}`);
await node.stop(1_000);
await store.close();
rmSync(folder, { recursive: true });
