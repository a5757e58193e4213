// Exchange rates: a service without a key has no state, and any node answers it.
import { implement } from "synod";
import { Rates } from "./rates.interface.ts";

/** What one euro buys. */
const perEuro = { EUR: 1, USD: 1.1, CHF: 0.95, JPY: 160 };

export const rates = implement(Rates, {
  operations: {
    quote: (_ctx, { from, to }) => ({ rate: perEuro[to] / perEuro[from] }),
  },
});
