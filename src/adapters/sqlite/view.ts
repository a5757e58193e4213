/** The view of a store: who is a member, and who owns which shard. */
import type { DatabaseSync } from "node:sqlite";
import { compareShards, type HostedService, type ShardId, type View } from "../../ports/store.ts";

/** A row of the table `members`. */
export interface MemberRow {
  readonly incarnation: number;
  readonly node: string;
  readonly address: string | null;
  readonly hosts: string;
  readonly draining: number;
  readonly renewals: number;
}

interface OwnershipRow extends ShardId {
  readonly owner: number | null;
  readonly epoch: number;
  readonly stateVersion: number;
}

/** Prepares the reading of a view; to be run in a transaction, so that its parts belong together. */
export function viewOf(database: DatabaseSync): () => View {
  const revision = database.prepare("SELECT revision FROM meta");
  const members = database.prepare("SELECT * FROM members ORDER BY incarnation");
  const shards = database.prepare("SELECT service, number, owner, epoch, state_version AS stateVersion FROM shards");
  return () => ({
    revision: (revision.get() as { revision: number }).revision,
    members: (members.all() as unknown as readonly MemberRow[]).map(({ node, incarnation, address, ...row }) => {
      const hosts = hostsOf(row);
      return { node, incarnation, address, hosts, draining: row.draining === 1, renewals: row.renewals };
    }),
    shards: (shards.all() as unknown as readonly OwnershipRow[])
      .map(({ service, number, ...ownership }) => ({ shard: { service, number }, ...ownership }))
      // SQLite would sort by UTF-8 bytes, which is another order for characters beyond the first 65,536.
      .sort((a, b) => compareShards(a.shard, b.shard)),
  });
}

/** The services that a member hosts. */
export function hostsOf({ hosts }: Pick<MemberRow, "hosts">): readonly HostedService[] {
  return JSON.parse(hosts);
}
