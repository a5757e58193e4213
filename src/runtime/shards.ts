/** The shards of the services that this node hosts, and the way from a key to its entity. */
import { invariant, type SynodError } from "../errors.ts";
import type { ClaimedShard, ShardId } from "../ports/store.ts";
import type { AnyService, AnySystem } from "../service/model.ts";
import { shardOf } from "../values/hash.ts";
import { Shard } from "./shard.ts";

export class Shards {
  readonly #byService = new Map<string, readonly Shard[]>();
  readonly #shardsPerService: number;
  readonly #openLengthMax: number;

  /** `openLengthMax`: how many open numbers a floor of a shard's session names. */
  constructor(system: AnySystem, shardsPerService: number, openLengthMax: number) {
    this.#shardsPerService = shardsPerService;
    this.#openLengthMax = openLengthMax;
    for (const service of system.services) {
      if (service.state === undefined) continue;
      const { name } = service.interface;
      const shards = Array.from(
        { length: shardsPerService },
        (_, number) => new Shard({ service: name, number }, service, openLengthMax),
      );
      this.#byService.set(name, shards);
    }
  }

  get(id: ShardId): Shard {
    const shard = this.#byService.get(id.service)?.[id.number];
    invariant(shard !== undefined, "only shards of hosted services are claimed");
    return shard;
  }

  /** Undefined for a service that this node does not host. */
  find(id: ShardId): Shard | undefined {
    return this.#byService.get(id.service)?.[id.number];
  }

  /** Also for a service that this node does not host: such a shard is never owned here. */
  ofKey(service: AnyService, key: string): Shard {
    const { name } = service.interface;
    const id = { service: name, number: shardOf(name, key, this.#shardsPerService) };
    return this.find(id) ?? new Shard(id, service, this.#openLengthMax);
  }

  *[Symbol.iterator](): Iterator<Shard> {
    for (const shards of this.#byService.values()) yield* shards;
  }

  own(claimed: readonly ClaimedShard[]): void {
    for (const one of claimed) this.get(one.shard).own(one);
  }

  get owned(): readonly Shard[] {
    return [...this].filter((shard) => shard.owned);
  }

  get activationsLength(): number {
    let length = 0;
    for (const shard of this) length += shard.activations.size;
    return length;
  }

  /** Every entity leaves memory at once; nothing of it is answered as done. */
  disownAll(reason: SynodError, unknown: (shard: Shard, key: string) => number): void {
    for (const shard of this) shard.disown(reason, (key) => unknown(shard, key));
  }
}
