/** The services of Synod's own that stand beside the user's: the availability meter's, and the ledger of drills. */
import type { AvailabilityTargets } from "../service/availability.ts";
import type { AnySystem } from "../service/model.ts";
import { defineSystem } from "../service/system.ts";
import { availability } from "./availability/service.ts";
import { ledger } from "./drills/service.ts";

/** What is held against a system in a drill whose file promises nothing. */
export const drillTargets: AvailabilityTargets = { objective: 0.999, services: {}, webhook: undefined, headers: {} };

/** The system with those that its file and whoever starts it ask for. A drill is measured, too. */
export function withOwnServices(system: AnySystem, drills: boolean): AnySystem {
  const own = [...(drills || system.availability ? [availability] : []), ...(drills ? [ledger] : [])];
  if (own.length === 0) return system;
  const { name, services, adapters } = system;
  return {
    ...system,
    ...defineSystem({ name, services: [...services, ...own], adapters }),
    // With it the nodes follow their keys.
    availability: system.availability ?? drillTargets,
  };
}
