/**
 * The service that stands beside the user's own in a system whose availability is measured: canaries, which probers write
 * and read, and what the meter has counted, so that it outlives the supervisor. Canaries are open to everybody whom the
 * HTTP adapter lets in; they hold a number and nothing else. Only the meter may keep figures.
 */
import { availabilityService } from "../../availability/prober.ts";
import type { Tiers } from "../../availability/rollups.ts";
import type { Outage } from "../../availability/slices.ts";
import { checked } from "../../service/checked.ts";
import { implement } from "../../service/implement.ts";
import { command, defineInterface, query } from "../../service/interface.ts";
import type { AnyService } from "../../service/model.ts";

/** Who calls as the meter: no caller from outside is this, because outside principals come from an adapter. */
export const meterPrincipal = "synod:availability";

/** One series as it is stored. */
export interface KeptSeries {
  readonly tiers: Tiers;
  readonly outages: readonly Outage[];
}

const text = checked<string>(
  "a short text",
  (value) => typeof value === "string" && value.length > 0 && value.length <= 128,
);
const count = checked<number>("a number", (value) => typeof value === "number");
const kept = checked<KeptSeries>(
  "a series",
  (value) => typeof value === "object" && value !== null && Array.isArray((value as KeptSeries).tiers),
);

const Availability = defineInterface(availabilityService, {
  key: text,
  operations: {
    beat: command({ output: count, priority: "critical", description: "One more; probers do it." }),
    beats: query({ output: count, priority: "critical", description: "How many there were." }),
    keep: command({ input: kept, errors: { notTheMeter: count }, description: "What the meter counted." }),
    kept: query({ output: kept, description: "What it kept." }),
  },
});

interface AvailabilityState {
  beats: number;
  series: { tiers: [number, number, number][][]; outages: Outage[] };
}

export const availability: AnyService = implement(Availability, {
  state: { version: 1, initial: (): AvailabilityState => ({ beats: 0, series: { tiers: [], outages: [] } }) },
  operations: {
    beat: (ctx) => ++ctx.state.beats,
    beats: (ctx) => ctx.state.beats,
    keep: (ctx, series) => {
      if (ctx.request.principal !== meterPrincipal) throw ctx.fail("notTheMeter", 0);
      ctx.state.series = structuredClone(series) as AvailabilityState["series"];
    },
    kept: (ctx) => ctx.state.series as KeptSeries,
  },
});
