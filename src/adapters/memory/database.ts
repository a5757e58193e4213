/**
 * What a memory database holds: the tables of a store as plain maps, shared by every connection of one process.
 * It lives as long as somebody refers to it; connections may be closed and opened again on it.
 */
import { randomBytes } from "node:crypto";
import type { Random } from "../../ports/random.ts";
import type { CallRecord, EntityRow, HostedService, SessionFloor, StoreIdentity } from "../../ports/store.ts";
import type { PendingWork } from "./work.ts";

export interface MemberRow {
  readonly node: string;
  readonly incarnation: number;
  readonly address: string | null;
  readonly hosts: readonly HostedService[];
  draining: boolean;
  renewals: number;
  /** The incarnation under which it knows itself, where the database has gone on as another one since it joined. */
  readonly knownAs?: number;
}

export interface ShardRow {
  owner: number | null;
  epoch: number;
  stateVersion: number;
  watermark: number;
  readonly entities: Map<string, EntityRow>;
  /** In the order in which they were committed. */
  readonly records: Map<string, CallRecord>;
  /** By session. */
  readonly floors: Map<string, SessionFloor>;
  sessionNext: number;
  readonly pending: PendingWork;
}

export interface MemoryDatabase {
  readonly identity: StoreIdentity;
  readonly commitsRenew: boolean;
  /** The last incarnation given out. */
  incarnations: number;
  revision: number;
  /** The live members, by incarnation. */
  readonly members: Map<number, MemberRow>;
  /** The shards of each service, by number. */
  readonly services: Map<string, readonly ShardRow[]>;
}

export interface MemoryDatabaseOptions {
  readonly system: string;
  /** Where the secret comes from; the operating system when absent. */
  readonly random?: Random;
  readonly shardsPerService?: number;
  /** Whether a commit renews its owner's lease, as on SQLite, or leaves that to heartbeats, as on PostgreSQL. Default true. */
  readonly commitsRenew?: boolean;
}

/**
 * A new, empty database.
 *
 * @example
 * ```ts
 * const database = createMemoryDatabase({ system: "bank" });
 * const store = openMemoryStore(database);
 * ```
 */
export function createMemoryDatabase({
  system,
  random,
  shardsPerService = 64,
  commitsRenew = true,
}: MemoryDatabaseOptions): MemoryDatabase {
  const secret = random?.bytes(32) ?? new Uint8Array(randomBytes(32));
  return {
    identity: { system, cluster: 1, shardsPerService, secret },
    commitsRenew,
    incarnations: 0,
    revision: 0,
    members: new Map(),
    services: new Map(),
  };
}
