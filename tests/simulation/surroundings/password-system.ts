/** One operation of it takes an input that nobody guesses. */
import { z } from "zod";
import { command, defineInterface, defineSystem, implement, type System } from "../../../src/index.ts";

const Door = defineInterface("door", {
  key: z.string(),
  operations: {
    open: command({ input: z.string().refine((word) => word === "open sesame", "wrong password") }),
    knock: command(),
  },
});

const door = implement(Door, {
  state: { version: 1, initial: () => ({ knocks: 0, isOpen: false }) },
  operations: {
    open: (ctx) => {
      ctx.state.isOpen = true;
    },
    knock: (ctx) => {
      ctx.state.knocks += 1;
    },
  },
});

const system: System = defineSystem({ name: "doors", services: [door] });
export default system;
