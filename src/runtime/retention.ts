/**
 * Forgets recorded replies past the retention window, shard by shard, in bounded steps. For timed keys the
 * store keeps a watermark in the same transaction, so that what is forgotten is refused and never executed.
 */
import type { Timer } from "../ports/clock.ts";
import type { Environment } from "./environment.ts";
import type { Membership } from "./membership.ts";
import type { Shard } from "./shard.ts";
import type { Shards } from "./shards.ts";

export interface RetentionEvents {
  /** The watermark may have risen without this node's knowing: the shard must be claimed again. */
  uncertain(shard: Shard): void;
}

export class Retention {
  readonly #environment: Environment;
  readonly #shards: Shards;
  readonly #membership: Membership;
  readonly #events: RetentionEvents;
  #timer: Timer | null = null;
  #stopped = false;
  #rest: Shard[] = [];

  constructor(environment: Environment, shards: Shards, membership: Membership, events: RetentionEvents) {
    this.#environment = environment;
    this.#shards = shards;
    this.#membership = membership;
    this.#events = events;
  }

  start(): void {
    if (this.#stopped) return;
    if (this.#rest.length === 0) this.#rest = [...this.#shards.owned];
    // Spread over the interval, so that forgetting is never a wave of writes.
    const waitMs = this.#environment.limits.trimIntervalMs / Math.max(1, this.#shards.owned.length);
    this.#timer = this.#environment.clock.setTimer(waitMs, () => void this.#next());
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  async #next(): Promise<void> {
    const shard = this.#rest.pop();
    if (shard?.owned) await this.#trim(shard);
    this.start();
  }

  async #trim(shard: Shard): Promise<void> {
    const { clock, limits, log, store } = this.#environment;
    const now = clock.wall();
    const { epoch } = shard;
    const cap = now - limits.timedRecordAgeMinMs;
    const endedSessions = shard.sessions.filter((session) => this.#membership.hasEnded(session));
    shard.endSessions(endedSessions);
    try {
      await shard.trim(cap, async () => {
        const result = await store.trim({
          incarnation: this.#membership.incarnation,
          shard: shard.id,
          epoch,
          finishedBefore: now - limits.retentionMs,
          timedCap: cap,
          timedRowsMax: limits.timedRecordsPerShardMax,
          endedSessions,
          removeMax: limits.trimRowsMax,
        });
        if (result.status === "fenced") throw new Error("the shard has another owner");
        shard.forgetSessions(endedSessions);
        if (result.more) this.#rest.push(shard);
        return result.watermark;
      });
    } catch (error) {
      if (this.#stopped || !shard.owned || shard.epoch !== epoch) return;
      log.warn(`forgetting old replies of shard ${shard.id.service}/${shard.id.number} failed`, { error });
      this.#events.uncertain(shard);
    }
  }
}
