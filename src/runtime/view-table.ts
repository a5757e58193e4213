/**
 * The view, looked up by shard and by member, and the memory of the highest epochs that this node has seen: a
 * store that shows a lower one has lost commits that were acknowledged (rule S5), and is not believed.
 */

import { placeShard } from "../core/ownership/placement.ts";
import type { Member, ShardId, ShardOwnership, View } from "../ports/store.ts";
import type { MovedHint } from "../wire/frames.ts";

export class ViewTable {
  #view: View = { revision: 0, members: [], shards: [] };
  #members: ReadonlyMap<number, Member> = new Map();
  #shards: ReadonlyMap<string, ShardOwnership> = new Map();
  /** What other nodes answered about owners that are newer than the view. */
  readonly #hints = new Map<string, MovedHint>();
  readonly #epochs = new Map<string, number>();
  /** Members by the service that they host, as far as they were asked for since the view came. */
  readonly #hosting = new Map<string, readonly Member[]>();
  #backwards: ReadonlySet<string> = new Set();
  #incarnationMax = 0;

  get view(): View {
    return this.#view;
  }

  /** Takes a view over; returns the shards whose epoch went backwards. */
  apply(view: View): readonly ShardId[] {
    this.#view = view;
    this.#hosting.clear();
    this.#members = new Map(view.members.map((member) => [member.incarnation, member]));
    this.#shards = new Map(view.shards.map((ownership) => [nameOf(ownership.shard), ownership]));
    for (const { incarnation } of view.members) this.#incarnationMax = Math.max(this.#incarnationMax, incarnation);
    this.#takeHintsBehind(view.revision);
    const backwards = view.shards.filter((ownership) => !this.#sawEpoch(ownership)).map(({ shard }) => shard);
    this.#backwards = new Set(backwards.map(nameOf));
    return backwards;
  }

  /** Whether the store shows an epoch of this shard that is not lower than one that was seen. */
  isBelievable(shard: ShardId): boolean {
    return !this.#backwards.has(nameOf(shard));
  }

  member(incarnation: number): Member | undefined {
    return this.#members.get(incarnation);
  }

  /** Live members that host a service that somebody hosts. */
  hosting(service: string): readonly Member[] {
    const known = this.#hosting.get(service);
    if (known !== undefined) return known;
    const found = this.#view.members.filter(({ hosts }) => hosts.some((host) => host.service === service));
    // Names that nobody hosts are chosen by callers: they are not kept.
    if (found.length > 0) this.#hosting.set(service, found);
    return found;
  }

  /**
   * A call of an incarnation that is neither live here nor newer comes from the past: it is refused. A newer one may
   * have joined since this view.
   */
  mayCall(incarnation: number): boolean {
    return this.#members.has(incarnation) || incarnation > this.#incarnationMax;
  }

  ownership(shard: ShardId): ShardOwnership | undefined {
    return this.#shards.get(nameOf(shard));
  }

  /** Takes over what another node knows, unless it is older than what this one knows. */
  learn(shard: ShardId, hint: MovedHint): void {
    if (hint.owner === undefined || hint.revision < this.#view.revision) return;
    if (hint.epoch >= this.#highestEpoch(nameOf(shard))) this.#hints.set(nameOf(shard), hint);
  }

  /**
   * The member to which a call for the shard should go: its owner, or the one that should own it next.
   * Undefined when nobody is there.
   */
  destination(shard: ShardId): Member | undefined {
    const hinted = this.#hints.get(nameOf(shard))?.owner;
    const hintedMember = hinted === undefined ? undefined : this.#members.get(hinted);
    if (hintedMember !== undefined) return hintedMember;
    const ownership = this.ownership(shard);
    if (ownership === undefined) return undefined;
    const owner = ownership.owner === null ? undefined : this.#members.get(ownership.owner);
    return owner ?? placeShard(ownership, this.#view.members);
  }

  /** What this node tells a caller who came to the wrong place. */
  hint(shard: ShardId): MovedHint {
    const destination = this.destination(shard);
    return {
      revision: this.#view.revision,
      epoch: this.ownership(shard)?.epoch ?? 0,
      owner: destination?.incarnation,
      node: destination?.node,
    };
  }

  /**
   * What hints said of the past is held against the store too. A hint that is ahead of the view says nothing
   * against it: the view was on its way while another node had a later one already.
   */
  #takeHintsBehind(revision: number): void {
    for (const [name, hint] of this.#hints) {
      if (hint.revision > revision) continue;
      this.#hints.delete(name);
      this.#epochs.set(name, Math.max(this.#highestEpoch(name), hint.epoch));
    }
  }

  /** False when a higher epoch was seen before. */
  #sawEpoch({ shard, epoch }: ShardOwnership): boolean {
    const name = nameOf(shard);
    if (epoch < this.#highestEpoch(name)) return false;
    this.#epochs.set(name, epoch);
    return true;
  }

  #highestEpoch(name: string): number {
    return this.#epochs.get(name) ?? 0;
  }
}

function nameOf(shard: ShardId): string {
  return `${shard.service}/${shard.number}`;
}
