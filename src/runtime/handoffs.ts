/**
 * Planned moves of shards, a few at a time: stop admitting, finish, flush, release, tell the next owner. Whoever
 * calls meanwhile is sent to the next owner and waits there, so that nobody hears an error (guarantee G8).
 */
import { type Move, shardsToHandOff } from "../core/ownership/placement.ts";
import { SynodError } from "../errors.ts";
import type { Committer } from "./committer.ts";
import { type Environment, within } from "./environment.ts";
import type { Membership } from "./membership.ts";
import type { Shard } from "./shard.ts";
import type { Shards } from "./shards.ts";

/** How long nothing more is released after the store did not take a release, ms. */
const releaseRetryMs = 100;

export interface HandoffOptions {
  readonly environment: Environment;
  readonly shards: Shards;
  readonly membership: Membership;
  readonly committer: () => Committer;
  /** Tells another node that shards were released for it. Best effort: its next heartbeat shows them too. */
  readonly tell: (incarnation: number) => void;
}

export class Handoffs {
  readonly #options: HandoffOptions;
  #round: Promise<void> | null = null;
  #stopped = false;

  constructor(options: HandoffOptions) {
    this.#options = options;
  }

  /** The view has changed: moves what should move, until nothing should. */
  consider(): void {
    if (this.#round !== null || this.#stopped) return;
    this.#round = this.#moveAll().finally(() => {
      this.#round = null;
    });
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Resolves when no move is under way and none is due. */
  async settled(): Promise<void> {
    while (this.#round !== null) await this.#round;
  }

  async #moveAll(): Promise<void> {
    while (!this.#stopped) {
      const { environment, membership, shards } = this.#options;
      const due = shardsToHandOff(membership.view, membership.incarnation);
      // A shard that was dropped and is about to be claimed again can move afterwards; a draining node does
      // not claim it, so it goes as it is.
      const ready = due.filter(({ shard }) => shards.get(shard).owned || membership.draining);
      if (ready.length === 0) return;
      await this.#move(ready.slice(0, environment.limits.handoffsMax));
    }
  }

  async #move(moves: readonly Move[]): Promise<void> {
    const { environment, shards, membership, committer } = this.#options;
    const leaving = moves.map(({ shard, to }) => ({ shard: shards.get(shard), to }));
    await Promise.all(leaving.map(({ shard, to }) => this.#quiesce(shard, to.incarnation)));
    const released = leaving.map(({ shard }) => ({
      shard: shard.id,
      epoch: shard.owned ? shard.epoch : (membership.ownership(shard.id)?.epoch ?? 0),
    }));
    // From here on these epochs are never served again, whatever the store answers.
    const reason = new SynodError("unavailable", "the shard has moved", { retryAfterMs: 50 });
    for (const { shard } of leaving) committer().disown(shard, reason);
    try {
      await environment.store.release({ incarnation: membership.incarnation, shards: released });
    } catch (error) {
      environment.log.warn("the release of shards failed: they are claimed again or run out", { error });
      await new Promise<void>((resolve) => environment.clock.setTimer(releaseRetryMs, resolve));
    }
    for (const incarnation of new Set(moves.map(({ to }) => to.incarnation))) this.#options.tell(incarnation);
    await membership.refresh();
  }

  /** Admits nothing any more and lets what was admitted finish, for a bounded time. */
  async #quiesce(shard: Shard, next: number): Promise<void> {
    const { environment } = this.#options;
    shard.leaveTo(next);
    // What was accepted goes on over there: its attempts end at once, and are not counted.
    const abandoned = [...shard.activations.values()].map((activation) => activation.leave());
    const quiet = Promise.all([...abandoned, shard.whenQuiet()]);
    await within(environment.clock, environment.limits.handoffDrainMs, quiet);
  }
}
