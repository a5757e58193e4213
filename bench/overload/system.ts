/** Synod's side: a system with the two kinds of work, as it serves in production. */
import { join } from "node:path";
import { command, defineInterface, defineSystem, implement, query, type StartOptions, startSystem } from "synod";
import { http } from "synod/http";
import { z } from "zod";
import type { OverloadServer } from "./measure.ts";
import { compute, holdWriteLock, partiesOf } from "./work.ts";

const Work = defineInterface("work", {
  operations: { compute: query({ output: z.null() }), urgent: query({ priority: "critical", output: z.null() }) },
});
const Account = defineInterface("account", {
  key: z.string().min(1).max(128),
  operations: { move: command({ input: z.int() }) },
});
const Transfer = defineInterface("transfer", {
  key: z.string().min(1).max(128),
  operations: { start: command({ durable: true, output: z.literal("done") }) },
});

const work = implement(Work, { operations: { compute, urgent: compute } });
const account = implement(Account, {
  state: { version: 1, initial: () => ({ balance: 0 }) },
  operations: {
    move: (ctx, amount) => {
      ctx.state.balance += amount;
    },
  },
});
const transfer = implement(Transfer, {
  calls: [Account],
  state: { version: 1, initial: () => ({ done: false }) },
  operations: {
    start: async (ctx): Promise<"done"> => {
      const { from, to } = partiesOf(ctx.key);
      await ctx.to(Account, from).move(-1);
      await ctx.to(Account, to).move(1);
      ctx.state.done = true;
      return "done";
    },
  },
});

const system = defineSystem({ name: "bench", services: [work, account, transfer], adapters: [http({ port: 0 })] });

export async function startWork(folder: string, limits?: StartOptions["limits"]): Promise<OverloadServer> {
  const path = join(folder, "bench.db");
  const running = await startSystem(system, { store: `sqlite:${path}`, adapters: true, ...(limits && { limits }) });
  return {
    port: Number(new URL(running.urls[0]!).port),
    paths: { compute: "/work/compute", critical: "/work/urgent", transfer: "/transfer/{id}/start" },
    stallStore: (ms) => holdWriteLock(path, ms),
    close: () => running.stop(2_000),
  };
}
