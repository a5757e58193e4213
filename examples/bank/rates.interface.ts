// What the world may ask about exchange rates.
import { defineInterface, query } from "synod";
import { z } from "zod";

export const Currency = z.enum(["EUR", "USD", "CHF", "JPY"]);

export const Rates = defineInterface("rates", {
  operations: {
    quote: query({
      input: z.object({ from: Currency, to: Currency }),
      output: z.object({ rate: z.number().positive() }),
    }),
  },
});
