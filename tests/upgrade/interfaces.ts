/** What the two releases of the wallets promise. The second one has an operation and a service more. */
import { command, defineInterface, query } from "synod";
import { z } from "zod";

const Cents = z.int().min(1).max(1_000);

const operations = {
  put: command({ input: Cents, output: z.int() }),
  holds: query({ output: z.int() }),
};

export const Wallet = defineInterface("wallet", { key: z.string().min(1), operations });

export const CountingWallet = defineInterface("wallet", {
  key: z.string().min(1),
  operations: { ...operations, puts: query({ output: z.int().nullable() }) },
});

/** Looks into wallets, whichever release they run. */
export const Till = defineInterface("till", {
  key: z.string().min(1),
  operations: { note: command({ input: z.string(), output: z.int() }) },
});

export const Diary = defineInterface("diary", {
  key: z.string().min(1),
  operations: { write: command({ input: z.string(), output: z.int() }) },
});
