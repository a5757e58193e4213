// The seats of one showing.
import { implement } from "synod";
import { Hall } from "./hall.interface.ts";

export const hall = implement(Hall, {
  state: { version: 1, initial: () => ({ free: 10 }) },
  operations: {
    free: (ctx) => ctx.state.free,
    take: (ctx) => {
      ctx.state.free -= 1;
      return true;
    },
  },
});
