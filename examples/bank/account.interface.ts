// What the world may ask of an account.
import { command, defineInterface, query } from "synod";
import { z } from "zod";
import { Currency } from "./rates.interface.ts";

/** Money is counted in cents, so that it adds up. */
const Cents = z.int().min(0).max(1_000_000_000_000);

const Amount = z.object({ amount: Cents.min(1) });
const Balance = z.object({ balance: Cents });

export const Account = defineInterface("account", {
  key: z.string().min(1).max(128),
  operations: {
    deposit: command({ input: Amount, output: Balance }),
    withdraw: command({ input: Amount, output: Balance, errors: { insufficientFunds: Balance } }),
    balance: query({ output: Balance }),
    balanceIn: query({
      input: z.object({ currency: Currency }),
      output: z.object({ balance: Cents, currency: Currency }),
    }),
  },
});
