// A saga: money leaves one account and arrives at another, or is given back. A crash between two of its steps takes nothing.
import { implement } from "synod";
import { Account } from "./account.interface.ts";
import { Transfer } from "./transfer.interface.ts";

export interface TransferState {
  readonly status: "new" | "done" | "refused" | "refunded";
  /** What was ordered; there is none before. */
  readonly order?: { readonly from: string; readonly to: string; readonly amount: number };
}

export const transfer = implement(Transfer, {
  calls: [Account],
  state: { version: 1, initial: (): TransferState => ({ status: "new" }) },
  operations: {
    start: async (ctx, { from, to, amount }) => {
      const order = { from, to, amount };
      const { status, order: known = order } = ctx.state;
      // Another transfer under this id.
      if (known.from !== from || known.to !== to || known.amount !== amount) throw ctx.fail("otherOrder", known);
      if (status !== "new") return ctx.state;
      const taken = await ctx.to(Account, from).withdraw.safe({ amount });
      if (!taken.ok) {
        ctx.state = { status: "refused", order };
        return ctx.state;
      }
      const given = await ctx.to(Account, to).deposit.safe({ amount });
      if (!given.ok) await ctx.to(Account, from).refund({ amount });
      ctx.state = { status: given.ok ? "done" : "refunded", order };
      return ctx.state;
    },
    status: (ctx) => ctx.state,
  },
});
