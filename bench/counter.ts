/** The service that benches put to work: counters, of which a side of any kind can have its own. */
import { command, defineInterface, implement, query } from "synod";
import { z } from "zod";

export const Step = z.object({ by: z.int().min(1).max(1_000) });
export const Count = z.object({ count: z.int().min(0) });

export const Counter = defineInterface("counter", {
  key: z.string().min(1).max(128),
  operations: {
    add: command({ input: Step, output: Count }),
    value: query({ output: Count }),
    /** What the value would be after a step. */
    ahead: query({ input: Step, output: Count }),
  },
});

export const counter = implement(Counter, {
  state: { version: 1, initial: () => ({ count: 0 }) },
  operations: {
    add: (ctx, { by }) => {
      ctx.state.count += by;
      return ctx.state;
    },
    value: (ctx) => ctx.state,
    ahead: (ctx, { by }) => ({ count: ctx.state.count + by }),
  },
});

export function counterKeys(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `counter-${index}`);
}
