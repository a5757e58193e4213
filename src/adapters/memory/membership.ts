/**
 * Members, leases and the ownership of shards, as functions from a database and a request to an answer.
 * They know no clock: a lease ends because somebody ends it, never because time has passed.
 */
import {
  type ClaimedShard,
  type ClaimRequest,
  type ClaimResult,
  compareShards,
  type JoinRequest,
  type RenewResult,
  type SessionFloor,
  type ShardId,
  type ShardOwnership,
  type Store,
  type View,
} from "../../ports/store.ts";
import type { MemberRow, MemoryDatabase, ShardRow } from "./database.ts";
import { noWork } from "./work.ts";

export function join(database: MemoryDatabase, request: JoinRequest): Awaited<ReturnType<Store["join"]>> {
  const { node, address } = request;
  const hosts = request.hosts.map(({ service, stateVersion }) => ({ service, stateVersion }));
  for (const { service, stateVersion } of hosts) {
    if (stateVersion === null || database.services.has(service)) continue;
    database.services.set(service, Array.from({ length: database.identity.shardsPerService }, newShard));
  }
  const incarnation = ++database.incarnations;
  database.members.set(incarnation, { node, incarnation, address, hosts, draining: false, renewals: 1 });
  database.revision++;
  return { incarnation, view: view(database) };
}

function newShard(): ShardRow {
  return {
    owner: null,
    epoch: 0,
    stateVersion: 0,
    watermark: 0,
    entities: new Map(),
    records: new Map(),
    floors: new Map(),
    sessionNext: 1,
    pending: noWork(),
  };
}

export function renew(
  database: MemoryDatabase,
  { incarnation, draining, knownRevision }: Parameters<Store["renew"]>[0],
): RenewResult {
  const member = database.members.get(incarnation);
  if (member === undefined) return { status: "ended" };
  member.renewals++;
  if (member.draining !== draining) {
    member.draining = draining;
    database.revision++;
  }
  return {
    status: "renewed",
    revision: database.revision,
    renewals: new Map(Array.from(database.members.values(), (live) => [live.incarnation, live.renewals])),
    view: knownRevision === database.revision ? undefined : view(database),
  };
}

export function claim(database: MemoryDatabase, { incarnation, shards, expired }: ClaimRequest): ClaimResult {
  const member = database.members.get(incarnation);
  if (member === undefined) return { status: "ended" };
  for (const lease of expired) {
    const stood = database.members.get(lease.incarnation)?.renewals === lease.renewals;
    if (stood && lease.incarnation !== incarnation) end(database, lease.incarnation);
  }
  const claimed: ClaimedShard[] = [];
  for (const shard of ascending(shards)) {
    const row = shardRow(database, shard);
    if (row === undefined || !mayClaim(member, shard, row)) continue;
    row.owner = incarnation;
    row.epoch++;
    const { epoch, stateVersion, watermark, sessionNext } = row;
    const floors = Array.from(row.floors.values(), copyOfFloor);
    claimed.push({ shard, epoch, stateVersion, watermark, floors, sessionNext });
  }
  if (claimed.length > 0) database.revision++;
  return { status: "claimed", claimed, view: view(database) };
}

function mayClaim(member: MemberRow, shard: ShardId, row: ShardRow): boolean {
  const hosted = member.hosts.find(({ service }) => service === shard.service);
  const free = row.owner === null || row.owner === member.incarnation;
  return free && hosted !== undefined && hosted.stateVersion !== null && hosted.stateVersion >= row.stateVersion;
}

export function copyOfFloor({ session, floor, open }: SessionFloor): SessionFloor {
  return { session, floor, open: [...open] };
}

/** Own copies of the shards, in ascending order, each once. */
function ascending(shards: readonly ShardId[]): ShardId[] {
  return shards
    .map(({ service, number }) => ({ service, number }))
    .sort(compareShards)
    .filter((shard, index, all) => index === 0 || compareShards(all[index - 1]!, shard) !== 0);
}

export function release(database: MemoryDatabase, { incarnation, shards }: Parameters<Store["release"]>[0]): void {
  let released = 0;
  for (const { shard, epoch } of shards) {
    const row = shardRow(database, shard);
    if (row === undefined || row.owner !== incarnation || row.epoch !== epoch) continue;
    row.owner = null;
    released++;
  }
  if (released > 0) database.revision++;
}

export function endLease(
  database: MemoryDatabase,
  { node, incarnation }: Parameters<Store["endLease"]>[0],
): { ended: boolean } {
  for (const member of database.members.values()) {
    if (member.node !== node || (member.incarnation !== incarnation && member.knownAs !== incarnation)) continue;
    end(database, member.incarnation);
    return { ended: true };
  }
  return { ended: false };
}

function end(database: MemoryDatabase, incarnation: number): void {
  database.members.delete(incarnation);
  for (const rows of database.services.values()) {
    for (const row of rows) if (row.owner === incarnation) row.owner = null;
  }
  database.revision++;
}

export function view(database: MemoryDatabase): View {
  const members = Array.from(database.members.values(), (member) => ({
    ...member,
    hosts: member.hosts.map((hosted) => ({ ...hosted })),
  }));
  const shards: ShardOwnership[] = [];
  for (const [service, rows] of database.services) {
    rows.forEach(({ owner, epoch, stateVersion }, number) => {
      shards.push({ shard: { service, number }, owner, epoch, stateVersion });
    });
  }
  shards.sort((a, b) => compareShards(a.shard, b.shard));
  return { revision: database.revision, members, shards };
}

export function shardRow(database: MemoryDatabase, { service, number }: ShardId): ShardRow | undefined {
  return database.services.get(service)?.[number];
}
