// The business logic. A command sees the state of its key alone, one at a time; what it leaves is committed with its reply.
import { implement } from "synod";
import { Counter } from "./counter.interface.ts";

export const countMax = 1_000;

export const counter = implement(Counter, {
  state: { version: 1, initial: () => ({ count: 0 }) },
  operations: {
    add: (ctx, { step }) => {
      if (ctx.state.count + step > countMax) throw ctx.fail("full", ctx.state);
      ctx.state.count += step;
      return ctx.state;
    },
    value: (ctx) => ctx.state,
  },
});
