/**
 * A system whose messages and timers go to a service without keys, which has entities do the work: the same entities that get
 * messages from the same senders directly, and that are now and then in the hands of a durable command.
 */
import { z } from "zod";
import { command, defineInterface, defineSystem, implement, query, type System } from "../../src/index.ts";

const names = z.enum(["a", "b", "c", "d", "e"]);
const Notice = z.object({ to: names, number: z.int().min(0).max(50) });

const Ledger = defineInterface("ledger", {
  key: names,
  operations: {
    note: command({ input: z.int(), output: z.int(), errors: { full: z.int() } }),
    /** Nobody else has the turn until it is done. */
    audit: command({ durable: true, input: z.object({ spoilt: z.boolean() }), output: z.int() }),
    notes: query({ output: z.int() }),
  },
});

const Herald = defineInterface("herald", {
  operations: { cry: command({ input: Notice }), heard: query({ input: names, output: z.int() }) },
});

const Desk = defineInterface("desk", {
  key: names,
  operations: {
    tell: command({ input: z.object({ notices: z.array(Notice).min(1).max(4) }), output: z.int() }),
    later: command({ input: z.object({ notice: Notice, afterMs: z.int().min(0).max(2_000) }) }),
    remind: command({ input: z.object({ notice: Notice, afterMs: z.int().min(0).max(2_000) }) }),
    ring: command({ input: Notice }),
    told: query({ output: z.int() }),
  },
});

const ledger = implement(Ledger, {
  state: { version: 1, initial: () => ({ sum: 0, notes: 0, audits: 0 }) },
  operations: {
    note: (ctx, number) => {
      if (number % 13 === 12) throw ctx.fail("full", ctx.state.notes);
      ctx.state.sum += number;
      ctx.state.notes += 1;
      return ctx.state.notes;
    },
    audit: (ctx, { spoilt }) => {
      if (spoilt && ctx.request.attempt <= 3 && Math.random() < 0.5) throw new Error("this audit is spoilt");
      ctx.state.audits += 1;
      return ctx.state.notes;
    },
    notes: (ctx) => ctx.state.notes,
  },
});

const herald = implement(Herald, {
  calls: [Ledger],
  operations: {
    cry: async (ctx, { to, number }) => {
      await ctx.to(Ledger, to).note.safe(number);
      // The same one again, and another: in whichever order the answers come.
      await Promise.all([ctx.to(Ledger, to).note(1), ctx.to(Ledger, number % 2 === 0 ? "a" : "b").note(2)]);
    },
    heard: (ctx, name) => ctx.to(Ledger, name).notes(),
  },
});

const desk = implement(Desk, {
  sends: [Herald, Ledger, Desk],
  state: { version: 1, initial: () => ({ told: 0 }) },
  operations: {
    tell: (ctx, { notices }) => {
      for (const { to, number } of notices) {
        ctx.state.told += 1;
        if (number % 2 === 0) ctx.send(Herald).cry({ to, number });
        else ctx.send(Ledger, to).note(number);
      }
      return ctx.state.told;
    },
    later: (ctx, { notice, afterMs }) => ctx.send(Herald, { after: afterMs }).cry(notice),
    remind: (ctx, { notice, afterMs }) => {
      ctx.state.told += 1;
      ctx
        .timer(`remind ${notice.number % 2}`)
        .set({ after: afterMs })
        .ring(notice);
    },
    ring: (ctx, notice) => {
      ctx.state.told += 1;
      ctx.send(Ledger, notice.to).note(notice.number);
      ctx.send(Herald).cry(notice);
    },
    told: (ctx) => ctx.state.told,
  },
});

export const notices: System = defineSystem({ name: "notices", services: [ledger, herald, desk] });
