/** The second release: a wallet counts what was put into it, which one of the first release cannot tell; and there are diaries. */
import { defineSystem, implement } from "synod";
import { http } from "synod/http";
import { CountingWallet, Diary, Till } from "./interfaces.ts";

interface WalletState {
  amount: { cents: number };
  puts: number | null;
}

const wallet = implement(CountingWallet, {
  state: {
    version: 2,
    initial: (): WalletState => ({ amount: { cents: 0 }, puts: 0 }),
    migrate: { 1: (old) => ({ amount: { cents: (old as { cents: number }).cents }, puts: null }) },
  },
  operations: {
    put: (ctx, cents) => {
      ctx.state.amount.cents += cents;
      if (ctx.state.puts !== null) ctx.state.puts += 1;
      return ctx.state.amount.cents;
    },
    holds: (ctx) => ctx.state.amount.cents,
    puts: (ctx) => ctx.state.puts,
  },
});

const till = implement(Till, {
  calls: [CountingWallet],
  state: { version: 1, initial: () => ({ last: 0 }) },
  operations: {
    note: async (ctx, name) => {
      ctx.state.last = await ctx.to(CountingWallet, name).holds();
      return ctx.state.last;
    },
  },
});

const diary = implement(Diary, {
  state: { version: 1, initial: (): { lines: string[] } => ({ lines: [] }) },
  operations: { write: (ctx, line) => ctx.state.lines.push(line) },
});

export default defineSystem({ name: "wallets", services: [wallet, till, diary], adapters: [http()] });
