// What the world may ask of a counter: the operations, and the shapes of what goes in and comes out.
import { command, defineInterface, query } from "synod";
import { z } from "zod";

const Count = z.object({ count: z.int() });

export const Counter = defineInterface("counter", {
  key: z.string().min(1).max(128),
  operations: {
    add: command({ input: z.object({ step: z.int().positive() }), output: Count, errors: { full: Count } }),
    value: query({ output: Count }),
  },
});
