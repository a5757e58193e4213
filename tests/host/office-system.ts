/** A system whose durable commands are parked until somebody wants them to finish, for tests of what operators do. */

/**
 * A contract is signed once the file "go" is there. Before that its second attempt does something else than the first,
 * so it is parked at once, after a call; and notes for that contract wait.
 */
export const office = `
import { existsSync } from "node:fs";
import { command, defineInterface, defineSystem, implement, query } from "synod";
import { http } from "synod/http";
import { z } from "zod";
const Count = defineInterface("count", { key: z.string(), operations: { add: command(), read: query({ output: z.number() }) } });
const Contract = defineInterface("contract", {
  key: z.string(),
  operations: { sign: command({ durable: true, input: z.string() }), note: command() },
});
const Clerk = defineInterface("clerk", { key: z.string(), operations: { note: command({ input: z.string() }), wake: command() } });
const count = implement(Count, {
  state: { version: 1, initial: () => ({ count: 0 }) },
  operations: { add: (ctx) => { ctx.state.count += 1; }, read: (ctx) => ctx.state.count },
});
const contract = implement(Contract, {
  calls: [Count],
  state: { version: 1, initial: () => ({ notes: 0 }) },
  operations: {
    sign: async (ctx) => {
      if (!existsSync("go") && ctx.request.attempt > 1) return;
      await ctx.to(Count, "signatures").add();
      if (!existsSync("go")) throw new Error("no ink");
    },
    note: (ctx) => { ctx.state.notes += 1; },
  },
});
const clerk = implement(Clerk, {
  sends: [Contract, Clerk],
  state: { version: 1, initial: () => ({}) },
  operations: {
    note: (ctx, key) => { ctx.send(Contract, key).note(); ctx.timer("wake").set({ after: "1h" }).wake(); },
    wake: () => {},
  },
});
export default defineSystem({ name: "office", services: [count, contract, clerk], adapters: [http()] });
`;
