/**
 * A system that reaches what the bank does not: handlers that wait, call others in the middle of a turn, write without
 * looking, clear their state, and a stateless command that commands others.
 */
import { z } from "zod";
import { command, defineInterface, defineSystem, implement, query, type System } from "../../src/index.ts";

const Register = defineInterface("register", {
  key: z.string().min(1),
  operations: {
    write: command({ input: z.int().min(0).max(50), output: z.int() }),
    swap: command({
      input: z.object({ from: z.int().min(0).max(50), to: z.int().min(0).max(50) }),
      output: z.int(),
      errors: { other: z.object({ value: z.int() }) },
    }),
    forget: command(),
    read: query({ output: z.int() }),
  },
});

const List = defineInterface("list", {
  key: z.string().min(1),
  operations: {
    append: command({ input: z.int().min(0).max(1_000), output: z.int() }),
    /** Asks a register while it holds the turn. */
    appendFrom: command({ input: z.enum(["a", "b"]), output: z.int() }),
    all: query({ output: z.array(z.int()) }),
  },
});

const Clerk = defineInterface("clerk", {
  operations: {
    both: command({ input: z.int().min(0).max(50), output: z.object({ first: z.int(), second: z.int() }) }),
    sum: query({ output: z.int() }),
  },
});

const register = implement(Register, {
  state: { version: 1, initial: () => ({ value: 0 }) },
  operations: {
    write: (ctx, value) => {
      ctx.state = { value };
      return value;
    },
    swap: (ctx, { from, to }) => {
      if (ctx.state.value !== from) throw ctx.fail("other", ctx.state);
      ctx.state.value = to;
      return to;
    },
    forget: (ctx) => ctx.clear(),
    read: (ctx) => ctx.state.value,
  },
});

const list = implement(List, {
  calls: [Register],
  state: { version: 1, initial: () => ({ items: [] as number[] }) },
  operations: {
    append: (ctx, item) => {
      ctx.state.items = [...ctx.state.items.slice(-20), item];
      return ctx.state.items.length;
    },
    appendFrom: async (ctx, key) => {
      const { items } = ctx.state;
      items.push(await ctx.to(Register, key).read());
      return items.length;
    },
    all: (ctx) => ctx.state.items,
  },
});

const clerk = implement(Clerk, {
  calls: [Register, List],
  operations: {
    both: async (ctx, value) => {
      const first = await ctx.to(Register, "a").write(value);
      const second = await ctx.to(List, "a").append(value);
      return { first, second };
    },
    sum: async (ctx) => {
      const [a, b] = await Promise.all([ctx.to(Register, "a").read(), ctx.to(Register, "b").read()]);
      return a + b;
    },
  },
});

export const workshop: System = defineSystem({ name: "workshop", services: [register, list, clerk] });
