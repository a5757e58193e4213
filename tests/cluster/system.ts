/** The system that the cluster tests run. */
import { defineSystem, implement } from "synod";
import { http } from "synod/http";
import { Account, Counter, Inbox, initialBalance, List, Mailer, Register, Transfer } from "./interfaces.ts";

const register = implement(Register, {
  state: { version: 1, initial: (): { value: number | null } => ({ value: null }) },
  operations: {
    read: (ctx) => ctx.state.value,
    write: (ctx, value) => {
      ctx.state.value = value;
    },
    cas: (ctx, { expected, next }) => {
      if (ctx.state.value !== expected) return false;
      ctx.state.value = next;
      return true;
    },
  },
});

const counter = implement(Counter, {
  state: { version: 1, initial: () => ({ total: 0 }) },
  operations: {
    read: (ctx) => ctx.state.total,
    add: (ctx, amount) => {
      ctx.state.total += amount;
      return ctx.state.total;
    },
  },
});

const list = implement(List, {
  state: { version: 1, initial: (): { elements: number[] } => ({ elements: [] }) },
  operations: {
    read: (ctx) => ctx.state.elements,
    append: (ctx, element) => {
      ctx.state.elements.push(element);
    },
  },
});

const mailer = implement(Mailer, {
  sends: [Inbox],
  state: { version: 1, initial: (): { sent: Record<string, number> } => ({ sent: {} }) },
  operations: {
    send: (ctx, { to, id }) => {
      const number = (ctx.state.sent[to] ?? 0) + 1;
      ctx.state.sent[to] = number;
      ctx.send(Inbox, to).put({ from: ctx.key, id });
      return number;
    },
  },
});

const inbox = implement(Inbox, {
  state: { version: 1, initial: (): { messages: { from: string; id: string }[] } => ({ messages: [] }) },
  operations: {
    put: (ctx, message) => {
      ctx.state.messages.push(message);
    },
    received: (ctx) => ctx.state.messages,
  },
});

const account = implement(Account, {
  state: { version: 1, initial: () => ({ balance: initialBalance }) },
  operations: {
    balance: (ctx) => ctx.state.balance,
    deposit: (ctx, amount) => {
      ctx.state.balance += amount;
      return ctx.state.balance;
    },
    withdraw: (ctx, amount) => {
      if (ctx.state.balance < amount) throw ctx.fail("insufficientFunds", ctx.state.balance);
      ctx.state.balance -= amount;
      return ctx.state.balance;
    },
  },
});

const transfer = implement(Transfer, {
  calls: [Account],
  state: { version: 1, initial: (): { status: "new" | "done" } => ({ status: "new" }) },
  operations: {
    start: async (ctx, { from, to, amount }) => {
      if (ctx.state.status === "done") return "done" as const;
      // A declared error leaves no trace in the state, so a refusal is found out again, and may be none by then.
      const taken = await ctx.to(Account, from).withdraw.safe(amount);
      if (!taken.ok) throw ctx.fail("refused", null);
      await ctx.to(Account, to).deposit(amount);
      ctx.state = { status: "done" };
      return "done" as const;
    },
  },
});

const services = [register, counter, list, mailer, inbox, account, transfer];
export default defineSystem({ name: "workload", services, adapters: [http()] });
