/** The calls that the durable commands of one shard make: their ids, and which of them are carried out with what announces them. */
import type { GatewayReply } from "../ports/gateway.ts";
import { derivedRecordId } from "../values/ids.ts";
import type { Committer } from "./committer.ts";
import type { Environment } from "./environment.ts";
import type { CommandId, Invocation, Target } from "./invocation.ts";
import { receiverOf } from "./messages/rows.ts";
import type { Shard } from "./shard.ts";
import type { Shards } from "./shards.ts";

export interface ShardCallsOptions {
  readonly environment: Environment;
  readonly committer: Committer;
  readonly shards: Shards;
  readonly shard: Shard;
  /** One try on this node, or not at all. Never rejects. */
  readonly runHere: (invocation: Invocation) => Promise<GatewayReply>;
}

export class ShardCalls {
  readonly #options: ShardCallsOptions;

  constructor(options: ShardCallsOptions) {
    this.#options = options;
  }

  /** They belong to the number of their item in the shard's session, whose floor for that receiver comes along. */
  idOf(number: number, hash: string, inputHash: string, target: Target): CommandId {
    const { shard, environment } = this.#options;
    const { sessionName: session } = shard;
    const receiver = receiverOf(environment, target.service.interface.name, target.key);
    return {
      hash: derivedRecordId(session, number, hash),
      inputHash,
      keyTime: null,
      call: { session, number },
      floor: shard.session.floor(receiver),
    };
  }

  /**
   * Carries out a call that may not leave before what it requires is durable: its change travels with that, or after it.
   * That goes for a plain command of an entity of this node whose changes take the same lane; for others undefined, and nothing happens.
   */
  runTogether(invocation: Invocation): Promise<GatewayReply> | undefined {
    const { environment, committer, shards, shard, runHere } = this.#options;
    const { service, key, operation } = invocation.target;
    if (key === null || operation.kind !== "command" || operation.durable || !environment.lease.valid) return undefined;
    const other = shards.ofKey(service, key);
    if (!other.admits || !committer.haveOneLane(shard.id, other.id)) return undefined;
    return runHere(invocation);
  }
}
