/** Synod's side: a system with the two kinds of work, as it serves in production. */
import { join } from "node:path";
import { command, defineInterface, defineSystem, implement, query, type StartOptions, startSystem } from "synod";
import { http } from "synod/http";
import { z } from "zod";
import type { OverloadServer } from "./measure.ts";
import { compute, holdWriteLock } from "./work.ts";

const Work = defineInterface("work", {
  operations: { compute: query({ output: z.null() }), urgent: query({ priority: "critical", output: z.null() }) },
});
const Counter = defineInterface("counter", {
  key: z.string().min(1).max(128),
  operations: { add: command({ output: z.int() }) },
});

const work = implement(Work, { operations: { compute, urgent: compute } });
const counter = implement(Counter, {
  state: { version: 1, initial: () => ({ count: 0 }) },
  operations: { add: (ctx) => ++ctx.state.count },
});

const system = defineSystem({ name: "bench", services: [work, counter], adapters: [http({ port: 0 })] });

export async function startWork(folder: string, limits?: StartOptions["limits"]): Promise<OverloadServer> {
  const path = join(folder, "bench.db");
  const running = await startSystem(system, { store: `sqlite:${path}`, adapters: true, ...(limits && { limits }) });
  return {
    port: Number(new URL(running.urls[0]!).port),
    paths: { compute: "/work/compute", critical: "/work/urgent", write: "/counter/{key}/add" },
    stallStore: (ms) => holdWriteLock(path, ms),
    close: () => running.stop(2_000),
  };
}
