// What is simulated: clients that ask for everything there is, while nodes crash and links break; and what must hold.
import { defineScenario } from "synod/simulation";
import { Counter } from "./counter.interface.ts";
import { countMax } from "./counter.ts";
import system from "./system.ts";

export default defineScenario({
  system,
  invariants: [
    {
      name: "no counter is more than full",
      holds: (state) => [...state.all<{ count: number }>(Counter).values()].every(({ count }) => count <= countMax),
    },
  ],
  duration: "20s",
});
