/** Interfaces that the type tests share: one of each sort. */
import { command, defineInterface, query } from "synod";
import { z } from "zod";

const Amount = z.object({ amount: z.number().int().positive() });
const Balance = z.object({ balance: z.number() });

export const Account = defineInterface("account", {
  key: z.string().min(1),
  operations: {
    deposit: command({ input: Amount, output: Balance }),
    withdraw: command({ input: Amount, output: Balance, errors: { insufficientFunds: Balance } }),
    balance: query({ output: Balance }),
  },
});

export const Rates = defineInterface("rates", {
  operations: {
    quote: query({ input: z.object({ from: z.string(), to: z.string() }), output: z.number() }),
    correct: command({ input: z.object({ rate: z.number() }) }),
  },
});

/** Schemas that return something else than they take. */
export const Transfer = defineInterface("transfer", {
  key: z.string().brand("TransferId"),
  operations: {
    start: command({
      input: z.object({ amount: z.number(), currency: z.string().default("EUR") }),
      output: z.object({ legs: z.array(z.string()), status: z.enum(["new", "done"]).default("new") }),
      errors: { refused: z.object({ reason: z.string().default("none") }) },
    }),
    legs: query({ input: z.object({ last: z.number() }).optional(), output: z.array(z.string()) }),
  },
});

/** A saga: accepted means done. */
export const Order = defineInterface("order", {
  key: z.string(),
  operations: {
    place: command({ durable: true, input: Amount, output: z.number(), errors: { tooPoor: Balance } }),
    note: command({ durable: false, input: z.string() }),
  },
});
