/**
 * What must compile: every line here is correct use. `npm run check` compiles it with the repository,
 * `mistakes.test.ts` in a project of its own, and runs it.
 */
import type { Call, Frozen, Operations } from "synod";
import { defineSystem, implement } from "synod";
import { connect } from "synod/client";
import { Account, Order, Rates, Transfer } from "./contracts.ts";

type Same<A, B> = [A, B] extends [B, A] ? (((x: A) => A) extends (x: B) => B ? true : false) : false;
function expectTrue<_T extends true>(): void {}

interface TransferState {
  status: "new" | "done";
  legs: string[];
  attempts?: number | undefined;
  tree: Tree;
}

/** A recursive type: the check that state is JSON must come to an end. */
interface Tree {
  name: string;
  children: Tree[];
  parent: Tree | null;
}

const rates = implement(Rates, {
  operations: {
    quote: (ctx, { from, to }) => {
      expectTrue<Same<typeof ctx.now, number>>();
      return from === to ? 1 : ctx.random();
    },
    correct: async () => {},
  },
});

const account = implement(Account, {
  calls: [Rates],
  state: { version: 1, initial: () => ({ balance: 0 }) },
  operations: {
    deposit: (ctx, { amount }) => {
      expectTrue<Same<typeof ctx.state, { balance: number }>>();
      expectTrue<Same<typeof amount, number>>();
      ctx.state.balance += amount;
      return ctx.state;
    },
    withdraw: async (ctx, { amount }) => {
      if (ctx.state.balance < amount) throw ctx.fail("insufficientFunds", ctx.state);
      const quoted = await ctx.to(Rates, { timeout: "5s", id: "q" }).quote({ from: "EUR", to: "USD" });
      expectTrue<Same<typeof quoted, number>>();
      ctx.state = { balance: ctx.state.balance - amount * quoted };
      if (ctx.state.balance === 0) ctx.clear();
      return ctx.state;
    },
    // Read-only state may be returned as it is.
    balance: (ctx) => ctx.state,
  },
});

const transfer = implement(Transfer, {
  calls: [Account],
  state: {
    version: 2,
    // A parameter without a type still gets the key's.
    initial: (key): TransferState => ({ status: "new", legs: [key], tree: { name: key, children: [], parent: null } }),
    migrate: { 1: (old: { legs: string[] }) => ({ ...old, status: "new", tree: null }) },
  },
  operations: {
    start: (ctx, { amount, currency }) => {
      // The handler gets what the schema returns: the default is filled in.
      expectTrue<Same<typeof currency, string>>();
      if (amount < 0) throw ctx.fail("refused", {});
      ctx.state.legs.push(currency, ctx.key);
      // And gives what the schema takes: the default may be left out.
      return { legs: ctx.state.legs };
    },
    legs: async (ctx, input) => {
      expectTrue<Same<typeof input, { last: number } | undefined>>();
      // Read-only state may be passed on.
      const { balance } = await ctx.to(Account, ctx.key).balance();
      return balance > 0 ? ctx.state.legs.slice(-(input?.last ?? 0)) : ctx.state.legs;
    },
  },
});

/** The state's type is found even where `initial` takes the key without saying its type. */
export const owned = implement(Account, {
  state: { version: 1, initial: (key) => ({ owner: key, balance: 0 }) },
  operations: {
    deposit: (ctx) => {
      expectTrue<Same<typeof ctx.state, { owner: string; balance: number }>>();
      return ctx.state;
    },
    withdraw: (ctx) => ({ balance: ctx.state.owner.length }),
    balance: (ctx) => ctx.state,
  },
});

/** As a caller outside has it. */
export async function callers(
  toAccount: Operations<typeof Account>,
  toTransfer: Operations<typeof Transfer>,
): Promise<number> {
  const taken = await toAccount.withdraw.safe({ amount: 5 });
  if (taken.ok) return taken.value.balance;
  // The declared error is told from the statuses by its code, and has its data's type.
  if (taken.error.code === "insufficientFunds") return taken.error.data.balance;
  expectTrue<Same<typeof taken.error.outcome, "not-happened" | "unknown">>();

  const started = await toTransfer.start({ amount: 5 });
  expectTrue<Same<typeof started, { legs: string[]; status: "new" | "done" }>>();
  await toTransfer.legs();
  await toTransfer.legs({ last: 1 });
  const refused = await toTransfer.start.safe({ amount: 5, currency: "CHF" });
  if (!refused.ok && refused.error.code === "refused") return refused.error.data.reason.length;
  const frozen: Frozen<{ amount: number }> = { amount: 1 };
  const deposit: Call<{ amount: number }, { balance: number }, object> = toAccount.deposit;
  return (await deposit(frozen)).balance;
}

/** As a client has them over HTTP. */
export async function clients(): Promise<number> {
  const bank = connect("http://127.0.0.1:8080", { timeout: "5s", headers: () => ({ authorization: "Bearer x" }) });
  const { deposit, withdraw } = bank.to(Account, "alice", { id: "order-7", timeout: 500 });
  const { balance } = await deposit({ amount: 5 });
  expectTrue<Same<typeof balance, number>>();
  const taken = await withdraw.safe({ amount: 5 });
  if (!taken.ok && taken.error.code === "insufficientFunds") return taken.error.data.balance;
  const quoted = await bank.to(Rates, { timeout: "1s" }).quote({ from: "EUR", to: "USD" });
  expectTrue<Same<typeof quoted, number>>();
  const { id, outcome } = await bank.send(Order, "o-1", { id: "order-7" }).place({ amount: 5 });
  const ended = await outcome.safe({ timeout: "1m" });
  if (!ended.ok && ended.error.code === "tooPoor") return ended.error.data.balance;
  const count = await bank.outcome(Order, { timeout: "5m" }).place(id);
  expectTrue<Same<typeof count, number>>();
  return balance * quoted;
}

/** A command leaves messages and timers behind, also for its own service and in a circle. */
export const sending = implement(Account, {
  sends: [Transfer, Account, Rates],
  state: { version: 1, initial: () => ({ balance: 0 }) },
  operations: {
    deposit: (ctx, { amount: sum }) => {
      const amount = sum;
      const sent = ctx.send(Account, "bob").withdraw({ amount });
      expectTrue<Same<typeof sent, void>>();
      ctx.send(Rates, { after: "5m" }).correct({ rate: 1 });
      // What the schema fills in may be left out.
      ctx.send(Transfer, "t", { after: 250 }).start({ amount });
      ctx.timer("hold").set({ after: "15m" }).withdraw({ amount });
      ctx
        .timer("expire")
        .set({ at: ctx.now + 1 })
        .deposit({ amount });
      ctx.timer("hold").cancel();
      return ctx.state;
    },
    withdraw: (ctx) => ctx.state,
    balance: (ctx) => ctx.state,
  },
});

/** A stateless command may call commands too. */
export const desk = implement(Rates, {
  calls: [Account, Transfer],
  operations: {
    quote: async (ctx) => (await ctx.to(Account, "desk").balance()).balance,
    correct: async (ctx, { rate }) => {
      await ctx.to(Account, ctx.uuid(), { id: ctx.request.id }).deposit({ amount: rate });
    },
  },
});

/** A durable command may call commands of keyed services, and has steps. */
export const order = implement(Order, {
  calls: [Account, Rates],
  state: { version: 1, initial: () => ({ paid: 0 }) },
  operations: {
    place: async (ctx, { amount }) => {
      expectTrue<Same<typeof ctx.state, { paid: number }>>();
      const taken = await ctx.to(Account, "a", { id: "first" }).withdraw.safe({ amount });
      if (!taken.ok && taken.error.code === "insufficientFunds") throw ctx.fail("tooPoor", taken.error.data);
      const rate = await ctx.step("rate", async () => ({ rate: 2 }));
      expectTrue<Same<typeof rate, { rate: number }>>();
      await ctx.step("told", () => {});
      await ctx.to(Rates).correct(rate);
      ctx.state.paid += amount;
      return ctx.state.paid;
    },
    note: (ctx) => ctx.clear(),
  },
});

export default defineSystem({ name: "bank", services: [rates, account, transfer, order] });
