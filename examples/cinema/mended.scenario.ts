// The same with the bug mended: whoever changes the seats looks at them first, in the same command.
import { implement } from "synod";
import { defineScenario } from "synod/simulation";
import { everybodyBooks, noSeatTwice } from "./cinema.scenario.ts";
import { Hall } from "./hall.interface.ts";
import system from "./system.ts";

const mendedHall = implement(Hall, {
  state: { version: 1, initial: () => ({ free: 10 }) },
  operations: {
    free: (ctx) => ctx.state.free,
    take: (ctx) => {
      if (ctx.state.free === 0) return false;
      ctx.state.free -= 1;
      return true;
    },
  },
});

export default defineScenario({
  system,
  replace: [mendedHall],
  workload: everybodyBooks,
  invariants: [noSeatTwice],
  duration: "10s",
});
