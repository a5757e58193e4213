/**
 * What must not compile, and what the compiler must say to it: each directive carries a part of the message.
 * `npm run check` sees that every mistake is one; `mistakes.test.ts` sees that it is told in these words.
 */
import type { Operations } from "synod";
import { command, defineInterface, implement, query } from "synod";
import { type Client, connect } from "synod/client";
import { z } from "zod";
import { Account, Order, Rates } from "./contracts.ts";

const state = { version: 1, initial: () => ({ balance: 0 }) };
const fine = () => ({ balance: 0 });
const operations = { deposit: fine, withdraw: fine, balance: fine };

export async function callers(toAccount: Operations<typeof Account>): Promise<void> {
  // @ts-expect-error Property 'depositt' does not exist
  await toAccount.depositt({ amount: 1 });
  // @ts-expect-error Type 'string' is not assignable to type 'number'
  await toAccount.deposit({ amount: "1" });
  // @ts-expect-error Expected 1 arguments, but got 0
  await toAccount.deposit();
  // @ts-expect-error Expected 0 arguments, but got 1
  await toAccount.balance({});
  // @ts-expect-error Property 'amount' is missing in type '{}'
  await toAccount.deposit.safe({});
  const result = await toAccount.withdraw.safe({ amount: 1 });
  // @ts-expect-error have no overlap
  if (!result.ok && result.error.code === "unsufficientFunds") return;
}

/** Over HTTP the types are the same ones. */
export async function clients(bank: Client): Promise<void> {
  // @ts-expect-error Property 'depositt' does not exist
  await bank.to(Account, "alice").depositt({ amount: 1 });
  // @ts-expect-error Type 'string' is not assignable to type 'number'
  await bank.to(Account, "alice").deposit({ amount: "1" });
  // @ts-expect-error Expected 1 arguments, but got 0
  await bank.to(Account, "alice").deposit();
  // @ts-expect-error Expected 2-3 arguments, but got 1
  await bank.to(Account).balance();
  // @ts-expect-error Argument of type 'number' is not assignable to parameter of type 'string'
  await bank.to(Account, 7).balance();
  // @ts-expect-error Type '"EUR"' has no properties in common with type 'CallOptions'
  await bank.to(Rates, "EUR").quote({ from: "EUR", to: "USD" });
  // @ts-expect-error 'retries' does not exist in type 'CallOptions'
  await bank.to(Account, "alice", { retries: 3 }).balance();
  // @ts-expect-error Type 'number' is not assignable to type 'string'
  connect("http://127.0.0.1:8080", { headers: { "x-number": 7 } });
  const taken = await bank.to(Account, "alice").withdraw.safe({ amount: 1 });
  // @ts-expect-error have no overlap
  if (!taken.ok && taken.error.code === "unsufficientFunds") return;
  // @ts-expect-error Property 'value' does not exist on type
  taken.value;
  // @ts-expect-error Property 'deposit' does not exist
  await bank.send(Account, "alice").deposit({ amount: 1 });
  // @ts-expect-error Expected 1 arguments, but got 0
  await bank.send(Order, "o-1").place();
  // @ts-expect-error Property 'note' does not exist
  await bank.outcome(Order).note("id");
  // @ts-expect-error Cannot assign to 'id' because it is a read-only property
  (await bank.send(Order, "o-1").place({ amount: 1 })).id = 7;
}

export const wrongOutput = implement(Account, {
  state,
  // @ts-expect-error Type 'string' is not assignable to type 'number'
  operations: { ...operations, balance: () => ({ balance: "0" }) },
});

export const outputOfNothing = implement(Rates, {
  // @ts-expect-error Type 'number' is not assignable to type 'void | Promise<void>'
  operations: { quote: () => 1, correct: () => 1 },
});

export const undeclaredError = implement(Account, {
  state,
  operations: {
    ...operations,
    withdraw: (ctx) => {
      // @ts-expect-error Argument of type '"tooPoor"' is not assignable to parameter of type '"insufficientFunds"'
      throw ctx.fail("tooPoor", ctx.state);
    },
    deposit: (ctx) => {
      // @ts-expect-error Argument of type '"insufficientFunds"' is not assignable to parameter of type 'never'
      throw ctx.fail("insufficientFunds", ctx.state);
    },
  },
});

export const wrongErrorData = implement(Account, {
  state,
  operations: {
    ...operations,
    withdraw: (ctx) => {
      // @ts-expect-error Type 'null' is not assignable to type 'number'
      throw ctx.fail("insufficientFunds", { balance: null });
    },
  },
});

const Audit = defineInterface("audit", {
  key: z.string(),
  operations: { note: command({ input: z.string() }), check: query({ output: z.boolean() }) },
});

export const commandFromKeyedCommand = implement(Audit, {
  calls: [Account],
  state,
  operations: {
    note: async (ctx) => {
      // @ts-expect-error Property 'deposit' does not exist on type
      await ctx.to(Account, "a").deposit({ amount: 1 });
    },
    check: () => true,
  },
});

export const stepInCommand = implement(Order, {
  calls: [Account],
  state,
  operations: {
    place: async (ctx, { amount }) => (await ctx.to(Account, "a").deposit({ amount })).balance,
    note: async (ctx) => {
      // @ts-expect-error Property 'step' does not exist on type 'CommandContext<
      await ctx.step("told", () => {});
      // @ts-expect-error Property 'deposit' does not exist on type
      await ctx.to(Account, "a").deposit({ amount: 1 });
    },
  },
});

export const commandFromQuery = implement(Audit, {
  calls: [Account],
  state,
  operations: {
    note: () => {},
    check: async (ctx) => {
      // @ts-expect-error Property 'withdraw' does not exist on type
      await ctx.to(Account, "a").withdraw({ amount: 1 });
      return true;
    },
  },
});

export const commandFromStatelessQuery = implement(Rates, {
  calls: [Account],
  operations: {
    quote: async (ctx) => {
      // @ts-expect-error Property 'deposit' does not exist on type
      return (await ctx.to(Account, "a").deposit({ amount: 1 })).balance;
    },
    correct: () => {},
  },
});

export const notInCalls = implement(Audit, {
  calls: [Account],
  state,
  operations: {
    note: async (ctx) => {
      // @ts-expect-error is not assignable to parameter of type '"rates is missing from the calls of this service"'
      await ctx.to(Rates).quote({ from: "EUR", to: "USD" });
    },
    check: () => true,
  },
});

export const withoutCalls = implement(Rates, {
  operations: {
    // @ts-expect-error is not assignable to parameter of type '"account is missing from the calls of this service"'
    quote: async (ctx) => (await ctx.to(Account, "a").balance()).balance,
    correct: () => {},
  },
});

export const sendingWrong = implement(Audit, {
  sends: [Account, Audit],
  state,
  operations: {
    note: (ctx) => {
      // @ts-expect-error is not assignable to parameter of type '"rates is missing from the sends of this service"'
      ctx.send(Rates).correct({ rate: 1 });
      // @ts-expect-error Property 'balance' does not exist on type
      ctx.send(Account, "a").balance();
      // @ts-expect-error Type 'string' is not assignable to type 'number'
      ctx.send(Account, "a").deposit({ amount: "1" });
      // @ts-expect-error 'timeout' does not exist in type 'SendOptions'
      ctx.send(Account, "a", { timeout: "5s" }).deposit({ amount: 1 });
      // @ts-expect-error Property 'check' does not exist on type
      ctx.timer("hold").set({ after: "5m" }).check();
      // @ts-expect-error Argument of type 'number' is not assignable to parameter of type 'string'
      ctx.timer("hold").set({ after: "5m" }).note(5);
      // @ts-expect-error Argument of type '{}' is not assignable to parameter of type 'TimerTime'
      ctx.timer("hold").set({}).note("x");
    },
    check: (ctx) => {
      // @ts-expect-error Property 'send' does not exist on type
      ctx.send(Account, "a").deposit({ amount: 1 });
      return true;
    },
  },
});

export const timerOfOthers = implement(Audit, {
  sends: [Account],
  state,
  operations: {
    note: (ctx) => {
      // @ts-expect-error '"this service's own interface is missing from its sends"'
      ctx.timer("hold").set({ after: "5m" });
    },
    check: () => true,
  },
});

export const withoutSends = implement(Audit, {
  state,
  operations: {
    note: (ctx) => {
      // @ts-expect-error Property 'timer' does not exist on type 'CommandContext<
      ctx.timer("hold").set({ after: "5m" });
    },
    check: () => true,
  },
});

export const statelessWithOutbox = implement(Rates, {
  // @ts-expect-error is not assignable to type
  sends: [Account],
  operations: { quote: () => 1, correct: () => {} },
});

export const missingKey = implement(Rates, {
  calls: [Account],
  operations: {
    // @ts-expect-error Expected 2-3 arguments, but got 1
    quote: async (ctx) => (await ctx.to(Account).balance()).balance,
    // @ts-expect-error Argument of type 'number' is not assignable to parameter of type 'string'
    correct: async (ctx) => void (await ctx.to(Account, 7).balance()),
  },
});

export const keyForStateless = implement(Account, {
  calls: [Rates],
  state,
  operations: {
    ...operations,
    // @ts-expect-error Type '"EUR"' has no properties in common with type 'CallOptions'
    balance: async (ctx) => ({ balance: await ctx.to(Rates, "EUR").quote({ from: "EUR", to: "USD" }) }),
  },
});

export const missingHandler = implement(Account, {
  state,
  // @ts-expect-error is missing the following properties from type
  operations: { balance: fine },
});

export const handlerTooMany = implement(Account, {
  state,
  // @ts-expect-error 'blance' does not exist in type
  operations: { deposit: fine, withdraw: fine, balance: fine, blance: fine },
});

export const wrongHandlerInput = implement(Account, {
  state,
  operations: {
    ...operations,
    deposit: (ctx, input) => {
      // @ts-expect-error Property 'amuont' does not exist on type '{ amount: number; }'
      ctx.state.balance += input.amuont;
      return ctx.state;
    },
  },
});

export const stateChangedByQuery = implement(Account, {
  state,
  operations: {
    ...operations,
    balance: (ctx) => {
      // @ts-expect-error Cannot assign to 'balance' because it is a read-only property
      ctx.state.balance = 1;
      // @ts-expect-error Property 'clear' does not exist on type 'QueryContext<
      ctx.clear();
      return ctx.state;
    },
  },
});

export const listChangedByQuery = implement(Account, {
  state: { version: 1, initial: () => ({ lines: [{ price: 1 }] }) },
  operations: {
    ...operations,
    balance: (ctx) => {
      // @ts-expect-error Property 'push' does not exist on type 'readonly
      ctx.state.lines.push({ price: 2 });
      return { balance: 0 };
    },
  },
});

export const stateIsMissing = implement(
  Account,
  // @ts-expect-error Property 'state' is missing in type
  { operations },
);

export const stateOfStateless = implement(Rates, {
  // @ts-expect-error "a stateless service has no state"
  state,
  operations: { quote: () => 1, correct: () => {} },
});

export const dateInState = implement(Account, {
  // @ts-expect-error "state.orders[].lines[].at is a Date, which JSON does not have"
  state: { version: 1, initial: () => ({ balance: 0, orders: [{ lines: [{ at: new Date() }] }] }) },
  operations,
});

export const mapInState = implement(Account, {
  // @ts-expect-error "state.byName is a Map, which JSON does not have"
  state: { version: 1, initial: () => ({ byName: new Map<string, number>() }) },
  operations,
});

export const functionInState = implement(Account, {
  // @ts-expect-error "state.money.format is a function, which JSON does not have"
  state: { version: 1, initial: () => ({ money: { amount: 1, format: () => "1" } }) },
  operations,
});

export const undefinedInList = implement(Account, {
  // @ts-expect-error "state.list[] is undefined, which JSON does not have"
  state: { version: 1, initial: () => ({ list: [1, undefined] }) },
  operations,
});

export const bigintAsState = implement(Account, {
  // @ts-expect-error "state is a bigint, which JSON does not have"
  state: { version: 1, initial: () => 1n },
  operations,
});

interface Deep {
  next: Deep | null;
  at: Date;
}

export const dateInRecursiveState = implement(Account, {
  // @ts-expect-error "state.at is a Date, which JSON does not have"
  state: { version: 1, initial: (): Deep => ({ next: null, at: new Date() }) },
  operations,
});

export const keyOfNumbers = defineInterface("numbers", {
  // @ts-expect-error Type 'number' is not assignable to type 'string'
  key: z.number(),
  operations: { get: query({ output: z.number() }) },
});

export const unknownOption = command({
  // @ts-expect-error 'inptu' does not exist in type
  inptu: z.string(),
});
