// The business logic of an account; the whole of it.
import { implement } from "synod";
import { Account } from "./account.interface.ts";
import { Rates } from "./rates.interface.ts";

interface AccountState {
  balance: number;
  /** Left out of accounts that are open. */
  closed?: true;
}

export const account = implement(Account, {
  calls: [Rates],
  state: { version: 1, initial: (): AccountState => ({ balance: 0 }) },
  operations: {
    deposit: (ctx, { amount }) => {
      if (ctx.state.closed) throw ctx.fail("closed", ctx.key);
      ctx.state.balance += amount;
      return ctx.state;
    },
    withdraw: (ctx, { amount }) => {
      if (ctx.state.balance < amount) throw ctx.fail("insufficientFunds", ctx.state);
      ctx.state.balance -= amount;
      return ctx.state;
    },
    refund: (ctx, { amount }) => {
      ctx.state.balance += amount;
      return ctx.state;
    },
    close: (ctx) => {
      if (ctx.state.balance > 0) throw ctx.fail("notEmpty", ctx.state);
      ctx.state.closed = true;
    },
    balance: (ctx) => ctx.state,
    balanceIn: async (ctx, { currency }) => {
      const { rate } = await ctx.to(Rates).quote({ from: "EUR", to: currency });
      return { balance: Math.round(ctx.state.balance * rate), currency };
    },
  },
});
