/** A voucher is good for one purchase; which ones are used is kept in the wrong place. */
import { z } from "zod";
import { command, defineInterface, defineSystem, implement } from "../../../src/index.ts";
import { defineScenario, type Scenario } from "../../../src/simulation/index.ts";
import { used } from "./used-vouchers.ts";

const Voucher = defineInterface("voucher", { key: z.string(), operations: { use: command({ output: z.boolean() }) } });

const voucher = implement(Voucher, {
  state: { version: 1, initial: () => ({ purchases: 0 }) },
  operations: {
    use: (ctx) => {
      if (used.has(ctx.key)) return false;
      used.add(ctx.key);
      ctx.state.purchases += 1;
      return true;
    },
  },
});

const scenario: Scenario = defineScenario({
  system: defineSystem({ name: "vouchers", services: [voucher] }),
  duration: "10s",
  invariants: [
    {
      name: "a voucher is good for one purchase",
      holds: (state) =>
        [...state.all<{ purchases: number }>(Voucher).values()].every(({ purchases }) => purchases <= 1),
    },
  ],
});
export default scenario;
