/**
 * Which state version each shard has in the store, as far as this node knows: what a commit need not say again.
 *
 * A commit that raises the state version of a shard changes the view, for which the server looks at every shard of the
 * batch before it locks any. Nearly no commit does. Within one epoch only the owner's own commits raise it, and nothing lowers
 * it, so what a claim was answered, or a commit that was taken has written, stays true until the epoch is another one.
 */
import type { ShardChanges, ShardId } from "../../ports/store.ts";

/** The store has at least this state version, as long as the shard's epoch is this one. */
export interface ShardVersion {
  readonly shard: ShardId;
  readonly epoch: number;
  readonly stateVersion: number;
}

export class StateVersions {
  /** By service, then by number: no more than there are shards. */
  readonly #known = new Map<string, ShardVersion[]>();

  note(version: ShardVersion): void {
    const { service, number } = version.shard;
    const known = this.#known.get(service) ?? [];
    known[number] = version;
    this.#known.set(service, known);
  }

  /** What the changes would make of the shard's state version; null when the shard has that already. */
  raisedBy({ shard, epoch, entities }: ShardChanges): ShardVersion | null {
    let stateVersion = 0;
    for (const change of entities) {
      if (change.state !== null) stateVersion = Math.max(stateVersion, change.stateVersion);
    }
    const known = this.#known.get(shard.service)?.[shard.number];
    if (known?.epoch === epoch && known.stateVersion >= stateVersion) return null;
    return { shard: { ...shard }, epoch, stateVersion };
  }
}
