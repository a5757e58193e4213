/** Claiming and releasing shards, in SQL. Bodies of transactions, like those of the leases. */
import type { DatabaseSync } from "node:sqlite";
import {
  type ClaimedShard,
  type ClaimRequest,
  type ClaimResult,
  compareShards,
  type HostedService,
  type ShardId,
  type Store,
} from "../../ports/store.ts";
import { floorsOf } from "./floors.ts";
import type { Leases } from "./leases.ts";
import { hostsOf, viewOf } from "./view.ts";

export interface Ownership {
  claim(request: ClaimRequest): ClaimResult;
  release(request: Parameters<Store["release"]>[0]): void;
}

export function ownershipOf(database: DatabaseSync, leases: Leases): Ownership {
  // The condition and the write are one statement: whoever owns the shard by now keeps it.
  const claimShard = database.prepare(
    `UPDATE shards SET owner = ?1, epoch = epoch + 1
     WHERE service = ?2 AND number = ?3 AND (owner IS NULL OR owner = ?1) AND state_version <= ?4
     RETURNING epoch, state_version AS stateVersion, watermark, session_next AS sessionNext`,
  );
  const releaseShard = database.prepare(
    "UPDATE shards SET owner = NULL WHERE service = ? AND number = ? AND owner = ? AND epoch = ?",
  );
  const view = viewOf(database);
  const floors = floorsOf(database);

  const take = (
    incarnation: number,
    { service, number }: ShardId,
    hosts: readonly HostedService[],
  ): ClaimedShard | undefined => {
    const hosted = hosts.find((host) => host.service === service);
    if (hosted === undefined || hosted.stateVersion === null) return undefined;
    const row = claimShard.get(incarnation, service, number, hosted.stateVersion);
    if (row === undefined) return undefined;
    const shard = { service, number };
    return { shard, ...(row as unknown as Omit<ClaimedShard, "shard" | "floors">), floors: floors.ofShard(shard) };
  };

  return {
    claim: ({ incarnation, shards, expired }) => {
      const claimer = leases.member(incarnation);
      if (claimer === undefined) return { status: "ended" };
      for (const lease of expired) {
        const stood = leases.member(lease.incarnation)?.renewals === lease.renewals;
        if (stood && lease.incarnation !== incarnation) leases.end(lease.incarnation);
      }
      const hosts = hostsOf(claimer);
      const claimed = ascending(shards)
        .map((shard) => take(incarnation, shard, hosts))
        .filter((taken) => taken !== undefined);
      if (claimed.length > 0) leases.revise();
      return { status: "claimed", claimed, view: view() };
    },

    release: ({ incarnation, shards }) => {
      let released = 0;
      for (const { shard, epoch } of shards) {
        released += Number(releaseShard.run(shard.service, shard.number, incarnation, epoch).changes);
      }
      if (released > 0) leases.revise();
    },
  };
}

/** The shards in ascending order, each once. */
function ascending(shards: readonly ShardId[]): ShardId[] {
  return shards
    .toSorted(compareShards)
    .filter((shard, index, all) => index === 0 || compareShards(all[index - 1]!, shard) !== 0);
}
