/**
 * The system under test: a keyed counter, a keyed shelf and a stateless source of rates that the counter may ask,
 * and a stateless desk that calls the counter. `act`, `look` and `serve` run a script that the test brings, so
 * that a handler can do anything, at any moment that the test chooses.
 */
import { z } from "zod";
import type { CommandContext, QueryContext, StatelessCommandContext, System } from "../../src/index.ts";
import { command, defineInterface, defineSystem, implement, query } from "../../src/index.ts";

export interface State {
  value: number;
  [more: string]: unknown;
}

const Any = z.unknown();
const Script = z.string();

export const Rates = defineInterface("rates", {
  operations: { rate: query({ output: z.number() }), refresh: command() },
});

export const Shelf = defineInterface("shelf", {
  key: z.string(),
  operations: { put: command({ input: z.number(), output: z.number() }), size: query({ output: z.number() }) },
});

export const Counter = defineInterface("counter", {
  key: z.string().min(1),
  operations: {
    /** Adds, and says the sum; declines to go below zero. */
    add: command({ input: z.number(), output: z.number(), errors: { tooLow: z.object({ value: z.number() }) } }),
    /** A command that changes nothing. */
    peek: command({ output: z.number() }),
    value: query({ output: z.number() }),
    act: command({ input: Script, output: Any, errors: { declined: z.number() } }),
    look: query({ input: Script, output: Any }),
    /** Its output must be a number. */
    number: command({ input: Script, output: z.number() }),
    /** A command without a reply. */
    reset: command(),
  },
});

const Desk = defineInterface("desk", {
  operations: {
    serve: command({ input: Script, output: Any, errors: { closed: z.null() } }),
    see: query({ input: Script, output: Any }),
  },
});

export const Stranger = defineInterface("stranger", { operations: { greet: query({ output: z.string() }) } });

type Callees = "rates" | "shelf";
export type Acting = CommandContext<string, State, { declined: number }, Callees>;
export type Looking = QueryContext<string, State, Record<never, never>, Callees>;
export type Serving = StatelessCommandContext<{ closed: null }, "counter">;

/** What the test makes the handlers do, by the name that it passes as input. */
export interface Scripts {
  readonly act?: Readonly<Record<string, (ctx: Acting) => unknown>>;
  readonly look?: Readonly<Record<string, (ctx: Looking) => unknown>>;
  readonly serve?: Readonly<Record<string, (ctx: Serving) => unknown>>;
  readonly see?: Readonly<Record<string, (ctx: Omit<Serving, "to"> & { to: unknown }) => unknown>>;
  /** How the counter starts. */
  readonly initial?: () => State;
  readonly rate?: () => number | Promise<number>;
}

export function counterSystem(scripts: Scripts = {}): System {
  const run = <Context>(of: Readonly<Record<string, (ctx: Context) => unknown>> | undefined) => {
    return (ctx: Context, name: string): unknown => {
      const script = of?.[name];
      if (script === undefined) throw new Error(`the test has no script ${name}`);
      return script(ctx);
    };
  };
  const counter = implement(Counter, {
    calls: [Rates, Shelf],
    state: { version: 1, initial: scripts.initial ?? ((): State => ({ value: 0 })) },
    operations: {
      add: (ctx, amount) => {
        if (ctx.state.value + amount < 0) throw ctx.fail("tooLow", { value: ctx.state.value });
        ctx.state.value += amount;
        return ctx.state.value;
      },
      peek: (ctx) => ctx.state.value,
      value: (ctx) => ctx.state.value,
      act: run(scripts.act),
      look: run(scripts.look),
      number: (ctx, name) => run(scripts.act)(ctx as unknown as Acting, name) as number,
      reset: (ctx) => ctx.clear(),
    },
  });
  const shelf = implement(Shelf, {
    state: { version: 1, initial: () => ({ size: 0 }) },
    operations: {
      put: (ctx, size) => {
        ctx.state.size += size;
        return ctx.state.size;
      },
      size: (ctx) => ctx.state.size,
    },
  });
  const rates = implement(Rates, { operations: { rate: () => scripts.rate?.() ?? 2, refresh: () => {} } });
  const desk = implement(Desk, {
    calls: [Counter],
    operations: { serve: run(scripts.serve), see: run(scripts.see) },
  });
  return defineSystem({ name: "test", services: [counter, shelf, rates, desk] });
}

/** A promise that a script waits for, and whether it has come that far. */
export class Gate {
  readonly #open = Promise.withResolvers<void>();
  /** How many handlers have come here. */
  visits = 0;

  open(): void {
    this.#open.resolve();
  }

  pass(): Promise<void> {
    this.visits += 1;
    return this.#open.promise;
  }
}
