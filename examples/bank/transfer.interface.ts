// What the world may ask of a transfer; its key is the transfer's id.
import { command, defineInterface, query } from "synod";
import { z } from "zod";
import { AccountName, Amount } from "./account.interface.ts";

/** From which account, to which, and how much. */
const Order = Amount.extend({ from: AccountName, to: AccountName });

/** `refused`: there was not enough to take. `refunded`: the other account was closed, and the money is back. */
const Status = z.object({ status: z.enum(["new", "done", "refused", "refunded"]) });

export const Transfer = defineInterface("transfer", {
  key: z.string().min(1).max(128),
  operations: {
    /** Once accepted, it finishes, whatever crashes. */
    start: command({ durable: true, input: Order, output: Status, errors: { otherOrder: Order } }),
    status: query({ output: Status }),
  },
});
