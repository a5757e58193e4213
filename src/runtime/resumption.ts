/**
 * Takes up what earlier owners of a shard accepted: when a shard is claimed, its inbox is read page by page in the
 * background, and every entity with a command that is not finished is brought into memory, which runs it on.
 */

import { SynodError } from "../errors.ts";
import type { InboxItem, Page } from "../ports/work.ts";
import type { Activation } from "./activation.ts";
import type { Environment } from "./environment.ts";
import type { Shard } from "./shard.ts";

/** Items that one read brings. */
const pageLengthMax = 100;
/** How long after a failed read, or while memory is full, ms. */
const retryMs = 200;

export interface ResumptionOptions {
  readonly environment: Environment;
  /** Undefined when there is no room in memory. */
  readonly activate: (shard: Shard, key: string) => Activation | undefined;
}

export class Resumption {
  readonly #options: ResumptionOptions;

  constructor(options: ResumptionOptions) {
    this.#options = options;
  }

  claimed(shards: readonly Shard[]): void {
    for (const shard of shards) void this.#resume(shard, shard.epoch);
  }

  async #resume(shard: Shard, epoch: number): Promise<void> {
    for (let after: number | null = 0; after !== null; ) {
      const page: Page<InboxItem, number> | null = await this.#read(shard, epoch, after);
      if (page === null) return;
      const keys = this.#note(shard, page);
      after = page.next;
      shard.session.foundThrough("inbox", after ?? Number.POSITIVE_INFINITY);
      for (const key of keys) if (!(await this.#bringUp(shard, epoch, key))) return;
    }
  }

  /** Null when the shard is not this owner's any more. */
  async #read(shard: Shard, epoch: number, after: number): Promise<Page<InboxItem, number> | null> {
    const { reader, log } = this.#options.environment;
    while (isOwned(shard, epoch)) {
      try {
        const result = await reader.readBacklog({ kind: "inbox", shard: shard.id, after, limit: pageLengthMax });
        if (result.kind === "corrupt") throw result.error;
        if (result.kind !== "inbox") throw new SynodError("internal", "an inbox is read as an inbox");
        return isOwned(shard, epoch) ? result.page : null;
      } catch (error) {
        // A store that is closed because the node ends is no trouble.
        if (!isOwned(shard, epoch)) return null;
        log.warn(`the inbox of shard ${shard.sessionName} cannot be read now`, { error });
        await this.#pause();
      }
    }
    return null;
  }

  /** The keys whose entities have something to do. */
  #note(shard: Shard, { rows, damaged }: Page<InboxItem, number>): ReadonlySet<string> {
    const keys = new Set<string>();
    for (const { number, key, parked } of rows) {
      shard.session.found(number, null);
      shard.hasLeftItems = true;
      if (parked === null) keys.add(key);
    }
    for (const { at, error } of damaged) {
      shard.session.found(at, null);
      const message = `durable command ${at} of shard ${shard.sessionName} is damaged: its number stays open`;
      this.#options.environment.log.error(message, { error });
    }
    return keys;
  }

  /** Brings an entity into memory; false when the shard is not this owner's any more. */
  async #bringUp(shard: Shard, epoch: number, key: string): Promise<boolean> {
    while (isOwned(shard, epoch) && shard.admits) {
      const activation = this.#options.activate(shard, key);
      await activation?.loaded;
      // What is damaged stays so, and must not keep the others waiting.
      if (activation !== undefined && activation.missed?.code !== "unavailable") return true;
      await this.#pause();
    }
    return false;
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => this.#options.environment.clock.setTimer(retryMs, resolve));
  }
}

function isOwned(shard: Shard, epoch: number): boolean {
  return shard.owned && shard.epoch === epoch;
}
