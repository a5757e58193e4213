/** Every bench there is. */
import { backlog } from "./backlog/bench.ts";
import type { Bench } from "./bench.ts";
import { capacity } from "./capacity/bench.ts";
import { commands } from "./commands/bench.ts";
import { durable } from "./durable/bench.ts";
import { growth } from "./growth/bench.ts";
import { http } from "./http/bench.ts";
import { loadCost } from "./load-cost/bench.ts";
import { memory } from "./memory/bench.ts";
import { messages } from "./messages/bench.ts";
import { overload } from "./overload/bench.ts";
import { postgres } from "./postgres/bench.ts";
import { probes } from "./probes/bench.ts";
import { rpc } from "./rpc/bench.ts";
import { saga } from "./saga/bench.ts";
import { simulation } from "./simulation/bench.ts";
import { timers } from "./timers/bench.ts";

export const benches: readonly Bench[] = [
  commands,
  postgres,
  http,
  simulation,
  overload,
  loadCost,
  rpc,
  durable,
  messages,
  saga,
  timers,
  backlog,
  memory,
  growth,
  capacity,
  probes,
];
