/** The services of Synod's own that stand beside the user's: the availability meter's, and the ledger of drills. */
import type { AnySystem } from "../service/model.ts";
import { defineSystem } from "../service/system.ts";
import { availability } from "./availability/service.ts";
import { ledger } from "./drills/service.ts";

/** The system with those that its file and whoever starts it ask for. A drill is measured, too. */
export function withOwnServices(system: AnySystem, drills: boolean): AnySystem {
  const own = [...(drills || system.availability ? [availability] : []), ...(drills ? [ledger] : [])];
  if (own.length === 0) return system;
  const { name, services, adapters } = system;
  return {
    ...system,
    ...defineSystem({ name, services: [...services, ...own], adapters }),
    availability: system.availability,
  };
}
