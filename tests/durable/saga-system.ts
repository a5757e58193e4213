/**
 * The system under test: sagas that run a script which the test brings, and five services for them to call: three
 * keyed ones that count what they did, a source of rates that is never the same twice, and a post office outside.
 */
import { z } from "zod";
import type { DurableContext, System } from "../../src/index.ts";
import { command, defineInterface, defineSystem, implement, query } from "../../src/index.ts";

const Any = z.unknown();

export const Stock = defineInterface("stock", {
  key: z.string(),
  operations: {
    take: command({ input: z.number(), output: z.number(), errors: { soldOut: z.number() } }),
    taken: query({ output: z.array(z.number()) }),
  },
});

export const Payment = defineInterface("payment", {
  key: z.string(),
  operations: {
    charge: command({ input: z.number(), output: z.number(), errors: { declined: z.number() } }),
    charged: query({ output: z.array(z.number()) }),
  },
});

export const Shipping = defineInterface("shipping", {
  key: z.string(),
  operations: {
    ship: command({ input: z.string(), output: z.string(), errors: { closed: z.string() } }),
    shipped: query({ output: z.array(z.string()) }),
  },
});

export const Rates = defineInterface("rates", { operations: { rate: query({ output: z.number() }) } });

/** At least once, as all that is stateless; what it calls takes effect once. */
export const Post = defineInterface("post", {
  operations: { send: command({ input: z.string(), errors: { moved: z.string() } }) },
});

export const Saga = sagaTaking(z.string());

/** New code may take less than the code that accepted. */
function sagaTaking(input: z.ZodType<string, string>) {
  return defineInterface("saga", {
    key: z.string(),
    operations: {
      run: command({ durable: true, input, output: Any, errors: { refused: Any } }),
      touch: command({ output: z.number() }),
      state: query({ output: Any }),
    },
  });
}

/** A saga that calls sagas. */
const Parent = defineInterface("parent", {
  key: z.string(),
  operations: { run: command({ durable: true, input: z.string(), output: Any }) },
});

export interface SagaState {
  readonly touched: number;
  readonly result?: unknown;
}

type Callees = "stock" | "payment" | "shipping" | "rates" | "post";
export type Running = DurableContext<string, SagaState, { refused: unknown }, Callees>;
export type Parenting = DurableContext<string, { runs: number }, Record<never, never>, "saga">;

export interface Scripts {
  readonly run?: Readonly<Record<string, (ctx: Running) => unknown>>;
  readonly parent?: Readonly<Record<string, (ctx: Parenting) => unknown>>;
  readonly rate?: () => number | Promise<number>;
  /** What the world outside sees of letters. */
  readonly sent?: (text: string) => unknown;
  /** Before a command of a keyed callee does its work. */
  readonly before?: (operation: "take" | "charge" | "ship") => void | Promise<void>;
  /** Which callees decline, with their declared error. */
  readonly declines?: (operation: "take" | "charge" | "ship" | "send") => boolean;
}

/** An entity that remembers what was done, so that anything done twice shows. */
function remembering<T>() {
  return { version: 1, initial: (): { done: T[] } => ({ done: [] }) };
}

/** `only`: a saga takes this script and refuses all others. */
export function sagaSystem(scripts: Scripts = {}, only?: string): System {
  const { before = () => {}, declines = () => false } = scripts;
  const stock = implement(Stock, {
    state: remembering<number>(),
    operations: {
      take: async (ctx, count) => {
        await before("take");
        if (declines("take")) throw ctx.fail("soldOut", count);
        ctx.state.done.push(count);
        return ctx.state.done.length;
      },
      taken: (ctx) => ctx.state.done,
    },
  });
  const payment = implement(Payment, {
    state: remembering<number>(),
    operations: {
      charge: async (ctx, amount) => {
        await before("charge");
        if (declines("charge")) throw ctx.fail("declined", amount);
        ctx.state.done.push(amount);
        return amount;
      },
      charged: (ctx) => ctx.state.done,
    },
  });
  const shipping = implement(Shipping, {
    state: remembering<string>(),
    operations: {
      ship: async (ctx, label) => {
        await before("ship");
        if (declines("ship")) throw ctx.fail("closed", label);
        ctx.state.done.push(label);
        return `${label}-${ctx.state.done.length}`;
      },
      shipped: (ctx) => ctx.state.done,
    },
  });
  const rates = implement(Rates, { operations: { rate: () => scripts.rate?.() ?? 2 } });
  const post = implement(Post, {
    calls: [Shipping],
    operations: {
      send: async (ctx, text) => {
        if (declines("send")) throw ctx.fail("moved", text);
        await scripts.sent?.(text);
        await ctx.to(Shipping, "post").ship(text);
      },
    },
  });
  const Sagas = only === undefined ? Saga : sagaTaking(z.string().refine((script) => script === only));
  const saga = implement(Sagas, {
    calls: [Stock, Payment, Shipping, Rates, Post],
    state: { version: 1, initial: (): SagaState => ({ touched: 0 }) },
    operations: {
      run: (ctx, name) => {
        const script = scripts.run?.[name];
        if (script === undefined) throw new Error(`the test has no script ${name}`);
        return script(ctx);
      },
      touch: (ctx) => {
        ctx.state = { ...ctx.state, touched: ctx.state.touched + 1 };
        return ctx.state.touched;
      },
      state: (ctx) => ctx.state,
    },
  });
  const parent = implement(Parent, {
    calls: [Sagas],
    state: { version: 1, initial: () => ({ runs: 0 }) },
    operations: {
      run: (ctx, name) => {
        const script = scripts.parent?.[name];
        if (script === undefined) throw new Error(`the test has no script ${name}`);
        return script(ctx);
      },
    },
  });
  return defineSystem({ name: "test", services: [parent, saga, stock, payment, shipping, rates, post] });
}
