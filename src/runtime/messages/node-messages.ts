/** Messages and timers of all shards that a node owns: made when a shard is claimed, let go when it is lost. */
import type { GatewayReply } from "../../ports/gateway.ts";
import type { Committer } from "../committer.ts";
import type { Environment } from "../environment.ts";
import type { Invocation } from "../invocation.ts";
import type { Shard } from "../shard.ts";
import type { Shards } from "../shards.ts";
import { ShardOutbox } from "./outbox.ts";
import { ShardMessages } from "./shard-messages.ts";
import { NodeTimers, ShardTimers } from "./timers.ts";

export interface NodeMessagesOptions {
  readonly environment: Environment;
  readonly shards: Shards;
  readonly committer: () => Committer;
  /** Gets a command to its entity, wherever that is. */
  readonly dispatch: (invocation: Invocation) => Promise<GatewayReply>;
  /** Runs a command on an entity of a shard that this node owns, here or not at all. */
  readonly runHere: (invocation: Invocation) => Promise<GatewayReply>;
}

export class NodeMessages {
  readonly #options: NodeMessagesOptions;
  readonly #timers: NodeTimers;

  constructor(options: NodeMessagesOptions) {
    this.#options = options;
    this.#timers = new NodeTimers(options.environment);
  }

  claimed(shards: readonly Shard[]): void {
    for (const shard of shards) this.#claim(shard);
  }

  /** Messages that are neither delivered nor parked. */
  get pending(): number {
    return this.#options.shards.owned.reduce((pending, { messages }) => pending + (messages?.outbox.pending ?? 0), 0);
  }

  stop(): void {
    this.#timers.stop();
  }

  #claim(shard: Shard): void {
    const { environment, dispatch, runHere } = this.#options;
    const committer = this.#options.committer();
    const outbox = new ShardOutbox({ environment, shard, session: shard.session, committer, dispatch });
    const own = { environment, shard, outbox, committer, run: runHere };
    const timers = new ShardTimers({ ...own, changed: (changed) => this.#timers.consider(changed) });
    shard.messages = new ShardMessages({ environment, shard, outbox, timers });
    this.#timers.add(timers);
  }
}
