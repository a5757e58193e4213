/**
 * Placement: which member should own a shard. A pure function of the view, so that every node that
 * sees the same view decides the same, and a member that comes or goes moves only its own shards.
 *
 * Rendezvous hashing: every member gets a score for the shard and the highest wins (Thaler and Ravishankar,
 * "Using name-based mappings to increase hit rates", 1998).
 */
import type { Member, ShardId, ShardOwnership, View } from "../../ports/store.ts";
import { hash32 } from "../../values/hash32.ts";

/**
 * The member that should own the shard; undefined when no member may. A member that drains gets nothing as long as
 * there is one that stays. When all of them leave, what they have taken in is still to be answered, so one of them does.
 */
export function placeShard(ownership: ShardOwnership, members: readonly Member[]): Member | undefined {
  const staying = members.filter(({ draining }) => !draining);
  return highest(ownership, staying) ?? highest(ownership, members);
}

function highest(ownership: ShardOwnership, members: readonly Member[]): Member | undefined {
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

/** A member owns only what it hosts, in a state version that it knows. */
function mayOwn(member: Member, { shard, stateVersion }: ShardOwnership): boolean {
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

/**
 * The shards that are this member's by the view but that it has dropped, so that they need a new epoch. `serves` says
 * which it has. A member that drains lets go of what one that stays should own.
 */
export function shardsToReclaim(
  view: View,
  incarnation: number,
  serves: (shard: ShardId) => boolean,
): readonly ShardId[] {
  const drains = view.members.some((member) => member.incarnation === incarnation && member.draining);
  return view.shards
    .filter((ownership) => ownership.owner === incarnation && !serves(ownership.shard))
    .filter((ownership) => !drains || placeShard(ownership, view.members)?.draining === true)
    .map(({ shard }) => shard);
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
    if (to === undefined || to.incarnation === incarnation || to.draining) continue;
    if (to.address !== null) moves.push({ shard: ownership.shard, to });
  }
  return moves;
}
