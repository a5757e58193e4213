// What the world may ask of an account.
import { command, defineInterface, query } from "synod";
import { z } from "zod";
import { Currency } from "./rates.interface.ts";

export const AccountName = z.string().min(1).max(128);

/** Money is counted in cents, so that it adds up. */
const Cents = z.int().min(0).max(1_000_000_000_000);

export const Amount = z.object({ amount: Cents.min(1) });
const Balance = z.object({ balance: Cents });

export const Account = defineInterface("account", {
  key: AccountName,
  operations: {
    deposit: command({ input: Amount, output: Balance, errors: { closed: AccountName } }),
    withdraw: command({ input: Amount, output: Balance, errors: { insufficientFunds: Balance } }),
    /** Gives back what was taken from here; an account that was closed meanwhile takes it too. */
    refund: command({ input: Amount, output: Balance }),
    /** An empty account takes no deposits any more. */
    close: command({ errors: { notEmpty: Balance } }),
    balance: query({ output: Balance }),
    balanceIn: query({
      input: z.object({ currency: Currency }),
      output: z.object({ balance: Cents, currency: Currency }),
    }),
  },
});
