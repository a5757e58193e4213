/**
 * Joining the membership, renewing a lease and ending one, in SQL. Bodies of transactions: the writer runs each
 * of them under the write lock, so that what one has read is still true when it writes.
 */
import type { DatabaseSync } from "node:sqlite";
import type { HostedService, JoinRequest, Store } from "../../ports/store.ts";
import type { RenewAnswer } from "./messages.ts";
import { type MemberRow, viewOf } from "./view.ts";

export interface Leases {
  join(request: JoinRequest): Awaited<ReturnType<Store["join"]>>;
  renew(request: Parameters<Store["renew"]>[0]): RenewAnswer;
  endLease(request: Parameters<Store["endLease"]>[0]): { ended: boolean };
  /** The row of a live member. */
  member(incarnation: number): MemberRow | undefined;
  end(incarnation: number): void;
  /** Counts a renewal; false when the lease has ended. */
  count(incarnation: number): boolean;
  /** Gives the view a new revision. */
  revise(): void;
}

export function leasesOf(database: DatabaseSync, shardsPerService: number): Leases {
  const nextIncarnation = database.prepare("UPDATE meta SET incarnations = incarnations + 1 RETURNING incarnations");
  const add = database.prepare("INSERT INTO members VALUES (?, ?, ?, ?, 0, 1)");
  const addShard = database.prepare("INSERT INTO shards (service, number) VALUES (?, ?) ON CONFLICT DO NOTHING");
  const memberRow = database.prepare("SELECT * FROM members WHERE incarnation = ?");
  const addRenewal = database.prepare("UPDATE members SET renewals = renewals + 1 WHERE incarnation = ?");
  const setDraining = database.prepare("UPDATE members SET draining = ? WHERE incarnation = ?");
  const renewals = database.prepare("SELECT incarnation, renewals FROM members ORDER BY incarnation");
  const remove = database.prepare("DELETE FROM members WHERE incarnation = ?");
  const freeShards = database.prepare("UPDATE shards SET owner = NULL WHERE owner = ?");
  const addRevision = database.prepare("UPDATE meta SET revision = revision + 1");
  const revision = database.prepare("SELECT revision FROM meta");
  const view = viewOf(database);

  const member = (incarnation: number) => memberRow.get(incarnation) as MemberRow | undefined;
  const count = (incarnation: number) => addRenewal.run(incarnation).changes === 1;
  const revise = () => void addRevision.run();
  const end = (incarnation: number): void => {
    remove.run(incarnation);
    freeShards.run(incarnation);
    revise();
  };

  const join: Leases["join"] = ({ node, address, hosts }) => {
    const { incarnations: incarnation } = nextIncarnation.get() as { incarnations: number };
    add.run(incarnation, node, address, hostsText(hosts));
    for (const { service, stateVersion } of hosts) {
      if (stateVersion === null) continue;
      for (let number = 0; number < shardsPerService; number++) addShard.run(service, number);
    }
    revise();
    return { incarnation, view: view() };
  };

  const renew: Leases["renew"] = ({ incarnation, draining, knownRevision }) => {
    if (!count(incarnation)) return { status: "ended" };
    if (member(incarnation)?.draining !== Number(draining)) {
      setDraining.run(Number(draining), incarnation);
      revise();
    }
    const now = revision.get() as { revision: number };
    return {
      status: "renewed",
      revision: now.revision,
      renewals: (renewals.all() as unknown as readonly MemberRow[]).map((live) => [live.incarnation, live.renewals]),
      view: now.revision === knownRevision ? undefined : view(),
    };
  };

  const endLease: Leases["endLease"] = ({ node, incarnation }) => {
    if (member(incarnation)?.node !== node) return { ended: false };
    end(incarnation);
    return { ended: true };
  };

  return { join, renew, endLease, member, end, count, revise };
}

function hostsText(hosts: readonly HostedService[]): string {
  return JSON.stringify(hosts.map(({ service, stateVersion }) => ({ service, stateVersion })));
}
