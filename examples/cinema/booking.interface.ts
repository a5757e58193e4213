// What the website asks: one ticket for a showing.
import { command, defineInterface } from "synod";
import { z } from "zod";

export const Booking = defineInterface("booking", {
  operations: {
    book: command({ input: z.object({ showing: z.string().min(1).max(64) }), output: z.boolean() }),
  },
});
