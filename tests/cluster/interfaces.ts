/** What the cluster tests ask of a system: a register, a counter, a list, messages and a bank, each with a checker of its own. */
import { command, defineInterface, query } from "synod";
import { z } from "zod";

const Key = z.string().min(1).max(128);
const Value = z.number().int();

export const Register = defineInterface("register", {
  key: Key,
  operations: {
    read: query({ output: Value.nullable() }),
    write: command({ input: Value }),
    /** Answers whether it swapped. */
    cas: command({ input: z.object({ expected: Value.nullable(), next: Value }), output: z.boolean() }),
  },
});

export const Counter = defineInterface("counter", {
  key: Key,
  operations: {
    read: query({ output: Value }),
    /** Answers the new total. */
    add: command({ input: Value, output: Value }),
  },
});

export const List = defineInterface("list", {
  key: Key,
  operations: { read: query({ output: z.array(Value) }), append: command({ input: Value }) },
});

const Message = z.object({ from: z.string(), id: z.string() });

export const Mailer = defineInterface("mailer", {
  key: Key,
  operations: {
    /** Answers the message's number among those of this sender to that receiver. */
    send: command({ input: z.object({ to: Key, id: z.string() }), output: Value }),
  },
});

export const Inbox = defineInterface("inbox", {
  key: Key,
  operations: {
    put: command({ input: Message }),
    /** All that came, in the order in which it did. */
    received: query({ output: z.array(Message) }),
  },
});

/** What an account holds before anything was done to it. */
export const initialBalance = 100;

export const Account = defineInterface("account", {
  key: Key,
  operations: {
    balance: query({ output: Value }),
    deposit: command({ input: Value, output: Value }),
    /** Declares the balance that was too low. */
    withdraw: command({ input: Value, output: Value, errors: { insufficientFunds: Value } }),
  },
});

const Order = z.object({ from: Key, to: Key, amount: Value });

/** A transfer from one account to another; its key is its id. */
export const Transfer = defineInterface("transfer", {
  key: Key,
  operations: {
    /** Takes effect once, whatever it is repeated under. */
    start: command({ durable: true, input: Order, output: z.literal("done"), errors: { refused: z.null() } }),
  },
});
