/** The ledger's business logic: pages of entries, for drills (`drill/ledger.interface.ts` says what for). */
import { Ledger, pageLengthMax } from "../../drill/ledger.interface.ts";
import { implement } from "../../service/implement.ts";
import type { AnyService } from "../../service/model.ts";

export const ledger: AnyService = implement(Ledger, {
  state: { version: 1, initial: (): { entries: number[] } => ({ entries: [] }) },
  operations: {
    append: (ctx, one) => {
      const { entries } = ctx.state;
      if (entries.length >= pageLengthMax) throw ctx.fail("pageFull", entries.length);
      return entries.push(one);
    },
    read: (ctx) => ctx.state.entries,
    forget: (ctx) => {
      ctx.clear();
    },
  },
});
