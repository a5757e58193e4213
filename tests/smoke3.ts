import { z } from "zod";
import { defineInterface, command, query, implement, defineSystem } from "synod";
import { startNode } from "../src/runtime/node.ts";
import { createMemoryDatabase, openMemoryStore } from "../src/adapters/memory/store.ts";
import { systemClock } from "../src/adapters/system/clock.ts";
import { systemRandom } from "../src/adapters/system/random.ts";
import { tcpNetwork } from "../src/adapters/tcp/network.ts";
const Counter = defineInterface("counter", { key: z.string().min(1).max(128), operations: {
  add: command({ input: z.object({ by: z.number() }), output: z.object({ n: z.number() }) }),
  get: query({ output: z.object({ n: z.number() }) }) } });
const counter = implement(Counter, { state: { version: 1, initial: () => ({ n: 0 }) }, operations: {
  add: (ctx, { by }) => { ctx.state.n += by; return ctx.state; }, get: (ctx) => ctx.state } });
const system = defineSystem({ name: "c", services: [counter] });
const show = (e: any) => JSON.stringify(e, (k, v) => v instanceof Error ? v.message : v);
const logOf = (n: string) => ({ debug(){}, info: (m: string, f?: any) => console.log(n, m, show(f) ?? ""), warn: (m: string, f?: any) => console.log(n, "W", m, show(f) ?? ""), error: (m: string, f?: any) => console.log(n, "E", m, show(f) ?? "") });
const db = createMemoryDatabase({ system: "c", random: systemRandom });
const start = (i: number, expected = 3) => startNode({ node: "node-" + i, system, store: openMemoryStore(db), clock: systemClock, random: systemRandom, log: logOf("node-" + i), expectedMembers: expected, network: { network: tcpNetwork(), listen: "127.0.0.1:0" } });
const t0 = performance.now();
const nodes = await Promise.all([1, 2, 3].map((i) => start(i)));
console.log("started", Math.round(performance.now() - t0), nodes.map((n) => n.status().shardsOwned));
let failures = 0, worst = 0, sent = 0; const sums = new Map<string, number>(); let stop = false;
const entries: any[] = [...nodes];
const client = async (c: number) => { let i = 0; while (!stop) { const k = "k" + ((c * 7919 + i * 31) % 200); const node = entries[(c + i++) % entries.length]; const t = performance.now();
  const r = await node.gateway.call({ service: "counter", key: k, operation: "add", input: '{"by":1}', principal: "x" });
  worst = Math.max(worst, performance.now() - t); sent++;
  if (r.ok) sums.set(k, (sums.get(k) ?? 0) + 1); else { failures++; console.log(show(r)); }
  await new Promise((s) => setTimeout(s, 5)); } };
const clients = Array.from({ length: 20 }, (_, c) => client(c));
await new Promise((s) => setTimeout(s, 2000));
console.log("steady", { sent, failures, worst: Math.round(worst) }); worst = 0;
const n4 = await start(4, 1); entries.push(n4);
await new Promise((s) => setTimeout(s, 2000));
console.log("joined", { sent, failures, worst: Math.round(worst) }, entries.map((n) => n.status().shardsOwned)); worst = 0;
const leaving = entries.shift(); const t1 = performance.now(); await leaving.drain(5000); console.log("drained in", Math.round(performance.now() - t1), leaving.status().shardsOwned); await leaving.stop(1000); console.log("stopped in", Math.round(performance.now() - t1));
await new Promise((s) => setTimeout(s, 1000));
console.log("left", { sent, failures, worst: Math.round(worst) }, entries.map((n) => n.status().shardsOwned)); worst = 0;
stop = true; await Promise.all(clients);
for (const [k, v] of sums) { const r = await entries[0].gateway.call({ service: "counter", key: k, operation: "get", principal: "x" }); if (r.output !== `{"n":${v}}`) console.log("MISMATCH", k, v, r); }
console.log(entries[0].status().links.map((l: any) => `${l.node} ${l.direction} ${l.phase} rtt ${l.roundTripMs?.toFixed(2)} calls ${l.calls}`));
for (const n of entries) await n.stop(1000);
