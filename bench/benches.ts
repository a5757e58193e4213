/** Every bench there is. */
import type { Bench } from "./bench.ts";
import { commands } from "./commands/bench.ts";
import { http } from "./http/bench.ts";
import { simulation } from "./simulation/bench.ts";

export const benches: readonly Bench[] = [commands, http, simulation];
