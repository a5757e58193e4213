/** The second release: a wallet counts what was put into it, too. */
import { defineSystem, implement } from "../../../src/index.ts";
import { Till, Wallet } from "./interfaces.ts";

interface WalletState {
  amount: { cents: number };
  puts: number | null;
}

const wallet = implement(Wallet, {
  state: {
    version: 2,
    initial: (): WalletState => ({ amount: { cents: 0 }, puts: null }),
    migrate: { 1: (old) => ({ puts: null, amount: { cents: (old as { cents: number }).cents } }) },
  },
  operations: {
    put: (ctx, cents) => {
      ctx.state.amount.cents += cents;
      ctx.state.puts = (ctx.state.puts ?? 0) + 1;
      return ctx.state.amount.cents;
    },
    holds: (ctx) => ctx.state.amount.cents,
  },
});

const till = implement(Till, {
  calls: [Wallet],
  state: { version: 1, initial: () => ({ last: 0 }) },
  operations: {
    note: async (ctx, name) => {
      ctx.state.last = await ctx.to(Wallet, name).holds();
      return ctx.state.last;
    },
  },
});

export default defineSystem({ name: "wallets", services: [wallet, till] });
