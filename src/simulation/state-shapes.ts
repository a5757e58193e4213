/**
 * Two releases of a system in one run keep states in two shapes. What is compared with each other is brought to the
 * newer one's first, just as a node with the newer code brings up what it loads; with members in the order of their
 * names, because a migration may put them into another. Where a run has one release, texts are left as they are.
 */
import { migratedText } from "../runtime/snapshot.ts";
import type { AnyService, AnySystem } from "../service/model.ts";

export class StateShapes {
  readonly #newer: ReadonlyMap<string, AnyService>;

  /** `upgrade`: the release that comes in during the run, if one does. */
  constructor(upgrade: AnySystem | undefined) {
    const services = upgrade?.services ?? [];
    this.#newer = new Map(services.map((service) => [service.interface.name, service]));
  }

  /** The text of a state that was written in this version. */
  text(service: string, key: string, stateVersion: number, written: string): string {
    const newer = this.#newer.get(service);
    if (newer?.state === undefined) return written;
    return JSON.stringify(inOrder(JSON.parse(migratedText(newer, key, stateVersion, written))));
  }
}

function inOrder(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(inOrder);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members.map(([name, member]) => [name, inOrder(member)]));
}
