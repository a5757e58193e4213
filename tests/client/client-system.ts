/** What the client library is tried on: a keyed service, a stateless one, and an adapter that knows who calls. */
import { command, defineInterface, defineSystem, implement, query } from "synod";
import { http } from "synod/http";
import { z } from "zod";

const Balance = z.object({ balance: z.number() });

export const Account = defineInterface("account", {
  key: z.string(),
  operations: {
    deposit: command({ input: z.object({ amount: z.number().positive() }), output: Balance }),
    withdraw: command({
      input: z.object({ amount: z.number() }),
      output: Balance,
      errors: { insufficientFunds: Balance },
    }),
    close: command({}),
    balance: query({ output: Balance }),
    whoAmI: query({ output: z.object({ key: z.string(), principal: z.string() }) }),
  },
});

/** Goes on when nobody waits; `open` lets it come to its end. */
export const Parcel = defineInterface("parcel", {
  key: z.string(),
  operations: {
    deliver: command({
      durable: true,
      input: z.string(),
      output: z.object({ to: z.string(), runs: z.number() }),
      errors: { refused: z.object({ by: z.string() }) },
    }),
  },
});

export const Mail = defineInterface("mail", {
  operations: { send: command({ input: z.string(), output: z.number() }) },
});

const account = implement(Account, {
  state: { version: 1, initial: () => ({ balance: 0 }) },
  operations: {
    deposit: (ctx, { amount }) => {
      ctx.state.balance += amount;
      return ctx.state;
    },
    withdraw: (ctx, { amount }) => {
      if (ctx.state.balance < amount) throw ctx.fail("insufficientFunds", ctx.state);
      ctx.state.balance -= amount;
      return ctx.state;
    },
    close: (ctx) => ctx.clear(),
    balance: (ctx) => ctx.state,
    whoAmI: (ctx) => ({ key: ctx.key, principal: ctx.request.principal }),
  },
});

/** A system of its own, and the letters that were sent, as somebody outside would count them. */
export function clientSystem() {
  const sent: string[] = [];
  const mail = implement(Mail, { operations: { send: (_ctx, letter) => sent.push(letter) } });
  const gate = Promise.withResolvers<void>();
  const parcel = implement(Parcel, {
    state: { version: 1, initial: () => ({ runs: 0 }) },
    operations: {
      deliver: async (ctx, to) => {
        if (to === "nobody") throw ctx.fail("refused", { by: to });
        await gate.promise;
        ctx.state.runs += 1;
        return { to, runs: ctx.state.runs };
      },
    },
  });
  const authenticate = ({ headers }: { headers: { authorization?: string | undefined } }): string => {
    return headers.authorization?.replace("Bearer ", "") ?? "nobody";
  };
  const adapters = [http({ port: 0, authenticate })];
  return {
    system: defineSystem({ name: "client-test", services: [account, mail, parcel], adapters }),
    sent,
    open: gate.resolve,
  };
}
