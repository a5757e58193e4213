/** Prints while it is loaded. */
import { z } from "zod";
import { command, defineInterface, defineSystem, implement, type System } from "../../../src/index.ts";

console.log("bells are being hung");

const Bell = defineInterface("bell", { key: z.string(), operations: { ring: command() } });

const bell = implement(Bell, {
  state: { version: 1, initial: () => ({ rings: 0 }) },
  operations: {
    ring: (ctx) => {
      ctx.state.rings += 1;
    },
  },
});

const system: System = defineSystem({ name: "bells", services: [bell] });
export default system;
