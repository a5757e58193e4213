/**
 * The simulator: how many events of its world happen in a second of one core, with a whole system behind them and
 * alone. Rates are by processor time, because a run uses one core and nothing else.
 */
import type { Bench } from "../bench.ts";

export const simulation: Bench = {
  name: "simulation",
  summary: "events of simulated worlds, by the processor time of one core",
  unit: "events/s",
  variants: [
    { name: "loop", title: "the event loop of a world alone" },
    { name: "bank", title: "the bank: 60 s, 5 nodes, 20 clients, faults" },
  ],
  mainVariant: "loop",
  sides: {
    synod: new URL("./synod.ts", import.meta.url),
    limit: new URL("./limit.ts", import.meta.url),
  },
};
