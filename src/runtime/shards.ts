/** The shards of the services that this node hosts, and the way from a key to its entity. */
import { invariant, type SynodError } from "../errors.ts";
import type { ClaimedShard, ShardId } from "../ports/store.ts";
import type { AnyService, AnySystem } from "../service/model.ts";
import { shardOf } from "../values/hash.ts";
import { Shard, type ShardBounds } from "./shard.ts";

export class Shards {
  readonly #byService = new Map<string, readonly Shard[]>();
  readonly #shardsPerService: number;
  readonly #bounds: ShardBounds;
  /** Of services that only other members host, as far as they were called from here. */
  readonly #elsewhere = new Map<string, Shard[]>();

  constructor(system: AnySystem, shardsPerService: number, bounds: ShardBounds) {
    this.#shardsPerService = shardsPerService;
    this.#bounds = bounds;
    for (const service of system.services) {
      if (service.state === undefined) continue;
      const { name } = service.interface;
      const shards = Array.from(
        { length: shardsPerService },
        (_, number) => new Shard({ service: name, number }, service, bounds),
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
    const number = shardOf(name, key, this.#shardsPerService);
    return this.#byService.get(name)?.[number] ?? this.#shardElsewhere(service, number);
  }

  #shardElsewhere(service: AnyService, number: number): Shard {
    const { name } = service.interface;
    let shards = this.#elsewhere.get(name);
    if (shards === undefined) {
      shards = [];
      this.#elsewhere.set(name, shards);
    }
    shards[number] ??= new Shard({ service: name, number }, service, this.#bounds);
    return shards[number];
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
