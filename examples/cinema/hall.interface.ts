// What the world may ask of one showing of a film: how many seats are free, and to take one.
import { command, defineInterface, query } from "synod";
import { z } from "zod";

export const Hall = defineInterface("hall", {
  key: z.string().min(1).max(64),
  operations: {
    free: query({ output: z.int() }),
    /** Whether there was a seat. */
    take: command({ output: z.boolean() }),
  },
});
