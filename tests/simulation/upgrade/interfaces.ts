/** What both releases of the wallets understand. */
import { z } from "zod";
import { command, defineInterface, query } from "../../../src/index.ts";

const Cents = z.int().min(1).max(1_000);

export const Wallet = defineInterface("wallet", {
  key: z.enum(["ann", "ben", "cleo"]),
  operations: {
    put: command({ input: Cents, output: z.int() }),
    /** Both releases answer in cents. */
    holds: query({ output: z.int() }),
  },
});

export const Till = defineInterface("till", {
  key: z.enum(["north", "south"]),
  operations: { note: command({ input: z.enum(["ann", "ben", "cleo"]), output: z.int() }) },
});
