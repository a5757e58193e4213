/** A handler of it never yields, for one of its inputs. */
import { z } from "zod";
import { command, defineInterface, defineSystem, implement, type System } from "../../../src/index.ts";

const Wheel = defineInterface("wheel", {
  key: z.string(),
  operations: { turn: command({ input: z.object({ forEver: z.boolean() }) }) },
});

const wheel = implement(Wheel, {
  state: { version: 1, initial: () => ({ turns: 0 }) },
  operations: {
    turn: (ctx, { forEver }) => {
      do ctx.state.turns += 1;
      while (forEver);
    },
  },
});

const system: System = defineSystem({ name: "wheels", services: [wheel] });
export default system;
