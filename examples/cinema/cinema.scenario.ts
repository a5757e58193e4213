// What is simulated: people who book, and what must hold however many do so at once.
import { defineScenario, type Invariant, type Workload } from "synod/simulation";
import { Hall } from "./hall.interface.ts";
import system from "./system.ts";

const showings = ["monday", "tuesday", "wednesday"];

export const everybodyBooks: Workload = (prng) => ({
  service: "booking",
  operation: "book",
  input: { showing: showings[prng.below(showings.length)] },
});

export const noSeatTwice: Invariant = {
  name: "no seat is sold twice",
  holds: (state) => [...state.all<{ free: number }>(Hall).values()].every(({ free }) => free >= 0),
};

export default defineScenario({ system, workload: everybodyBooks, invariants: [noSeatTwice], duration: "10s" });
