/**
 * Messages and timers of one shard, for as long as this node owns it: from what a command leaves behind, by way of
 * its change, to the outbox and the timers that take it over when that is durable.
 */
import type { EntityWork, OutboxMessage } from "../../ports/work.ts";
import type { Environment } from "../environment.ts";
import type { Shard } from "../shard.ts";
import type { ShardOutbox } from "./outbox.ts";
import { type Sender, workOf } from "./rows.ts";
import type { Left } from "./sending.ts";
import type { ShardTimers } from "./timers.ts";

export interface ShardMessagesOptions {
  readonly environment: Environment;
  readonly shard: Shard;
  readonly outbox: ShardOutbox;
  readonly timers: ShardTimers;
}

export class ShardMessages {
  readonly outbox: ShardOutbox;
  readonly timers: ShardTimers;
  readonly #options: ShardMessagesOptions;

  constructor(options: ShardMessagesOptions) {
    this.#options = options;
    this.outbox = options.outbox;
    this.timers = options.timers;
  }

  /**
   * What a command does to the entity's messages and timers: `left` is what it left behind, `fired` the name of the
   * timer that ran it, which is cleared unless the command has set it anew. Null when that is nothing.
   */
  work(sender: Sender, left: Left | null, fired: string | undefined): Partial<EntityWork> | null {
    const { environment, shard } = this.#options;
    if (left === null) return fired === undefined ? null : { timersCleared: [fired] };
    const { sent, timersSet, timersCleared } = workOf(environment, shard.session, sender, left);
    this.outbox.reserve(sent.length);
    if (fired === undefined || left.timers.has(fired)) return { sent, timersSet, timersCleared };
    return { sent, timersSet, timersCleared: [...timersCleared, fired] };
  }

  /** The change with that work is durable: timers are what they are now. Returns what is to be sent. */
  becameDurable(key: string, work: Partial<EntityWork>): readonly OutboxMessage[] {
    const { sent = [], timersSet = [], timersCleared = [] } = work;
    this.timers.cleared(key, timersCleared);
    this.timers.set(timersSet);
    this.outbox.reserve(-sent.length);
    return sent;
  }

  /** The change with that work did not become durable: nothing has left under its numbers. */
  rolledBack({ sent = [] }: Partial<EntityWork>): void {
    this.outbox.reserve(-sent.length);
    for (const { number } of sent) this.#options.shard.session.settle(number);
  }

  /** The shard is being handed over, or is lost. */
  stop(): void {
    this.outbox.stop();
    this.timers.stop();
  }
}
