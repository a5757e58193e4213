/** The first release: a wallet is a number of cents. */
import { defineSystem, implement } from "synod";
import { http } from "synod/http";
import { Till, Wallet } from "./interfaces.ts";

const wallet = implement(Wallet, {
  state: { version: 1, initial: () => ({ cents: 0 }) },
  operations: {
    put: (ctx, cents) => {
      ctx.state.cents += cents;
      return ctx.state.cents;
    },
    holds: (ctx) => ctx.state.cents,
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

export default defineSystem({ name: "wallets", services: [wallet, till], adapters: [http()] });
