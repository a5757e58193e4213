/** What the faults of a soak can reach, and what a kind of fault is. */
import type { PostgresServer } from "../../postgres/server.ts";
import type { Cluster } from "../cluster.ts";
import type { FaultProxy } from "./fault-proxy.ts";
import type { PlannedFault } from "./plan.ts";
import type { Surroundings } from "./surroundings.ts";

export interface Scene {
  readonly cluster: Cluster;
  /** Between the nodes. */
  readonly links: FaultProxy;
  /** Between the clients and the system. */
  readonly front: FaultProxy;
  readonly surroundings: Surroundings;
  /** The soak's own server, where the store is on PostgreSQL. */
  readonly server: PostgresServer | undefined;
  /** Notes in the history what is done to whom. */
  readonly note: (f: string, node?: string, value?: unknown) => void;
}

/** One blow of it, on these nodes. */
export interface Blow extends PlannedFault {
  readonly node: string;
  readonly peer: string;
}

export interface FaultKind {
  readonly name: string;
  /** False where this machine, or the store, has not what it takes. */
  readonly isPossible: (surroundings: Surroundings, server: PostgresServer | undefined) => boolean;
  /** Resolves when it is over and what was taken away is given back. */
  readonly strike: (scene: Scene, blow: Blow) => Promise<void>;
}

export function pause(ms: number): Promise<void> {
  return new Promise((next) => setTimeout(next, ms));
}

export const anywhere = (): boolean => true;
