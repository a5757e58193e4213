/**
 * Placement: which member should own a shard. A pure function of the view, so that every node that
 * sees the same view decides the same, and a member that comes or goes moves only its own shards.
 *
 * Rendezvous hashing: every member gets a score for the shard and the highest wins (Thaler and Ravishankar,
 * "Using name-based mappings to increase hit rates", 1998).
 */
import type { Member, ShardId, ShardOwnership, View } from "../../ports/store.ts";
import { hash32 } from "../../values/hash32.ts";

/** The member that should own the shard; undefined when no member may. */
export function placeShard(ownership: ShardOwnership, members: readonly Member[]): Member | undefined {
  let best: Member | undefined;
  let bestScore = -1;
  for (const member of members) {
    if (!mayOwn(member, ownership)) continue;
    const score = hash32(`${ownership.shard.service}/${ownership.shard.number}@${member.node}`);
    // Two members that carry one node name for a while (a restart) differ by their incarnation.
    if (score > bestScore || (score === bestScore && member.incarnation > (best?.incarnation ?? 0))) {
      best = member;
      bestScore = score;
    }
  }
  return best;
}

/** A member owns only what it hosts, in a state version that it knows, and nothing new while it drains. */
function mayOwn(member: Member, { shard, stateVersion }: ShardOwnership): boolean {
  if (member.draining) return false;
  return member.hosts.some(
    (host) => host.service === shard.service && host.stateVersion !== null && host.stateVersion >= stateVersion,
  );
}

/**
 * The shards that this member should claim now: they are placed on it, and nobody alive owns them.
 * `expired` are incarnations whose leases the claim itself will end.
 */
export function shardsToClaim(view: View, incarnation: number, expired: ReadonlySet<number>): readonly ShardId[] {
  const members = view.members.filter((member) => !expired.has(member.incarnation));
  const alive = new Set(members.map((member) => member.incarnation));
  const claims: ShardId[] = [];
  for (const ownership of view.shards) {
    if (ownership.owner !== null && alive.has(ownership.owner)) continue;
    if (placeShard(ownership, members)?.incarnation === incarnation) claims.push(ownership.shard);
  }
  return claims;
}

/** A shard that should move, and the member that should own it next. */
export interface Move {
  readonly shard: ShardId;
  readonly to: Member;
}

/**
 * The shards that this member owns and should hand to another one. A shard for which nobody else is there
 * stays where it is, even on a member that drains; nothing goes to a member that no other node can call.
 */
export function shardsToHandOff(view: View, incarnation: number): readonly Move[] {
  const moves: Move[] = [];
  for (const ownership of view.shards) {
    if (ownership.owner !== incarnation) continue;
    const to = placeShard(ownership, view.members);
    const isReachable = to?.address !== null;
    if (to !== undefined && to.incarnation !== incarnation && isReachable) moves.push({ shard: ownership.shard, to });
  }
  return moves;
}
