/** One shard at this node: whether the node owns it, at which epoch, and the entities of it in memory. */
import { invariant, SynodError } from "../errors.ts";
import type { ClaimedShard, ShardId } from "../ports/store.ts";
import type { AnyService } from "../service/model.ts";
import type { Activation } from "./activation.ts";

export class Shard {
  readonly id: ShardId;
  readonly service: AnyService;
  readonly activations: Map<string, Activation> = new Map();
  #epoch: number | null = null;
  /** Timed keys at or below this instant are forgotten: refused, never executed. */
  #watermark = 0;
  #trimming: { readonly cap: number; readonly done: Promise<void> } | null = null;
  #versionMax = 0;
  #waiters: (() => void)[] = [];

  constructor(id: ShardId, service: AnyService) {
    this.id = id;
    this.service = service;
  }

  get owned(): boolean {
    return this.#epoch !== null;
  }

  get epoch(): number {
    invariant(this.#epoch !== null, "only an owned shard has an epoch");
    return this.#epoch;
  }

  get watermark(): number {
    return this.#watermark;
  }

  /** The name under which a record of this shard is kept in memory. */
  nameOfRecord(id: string): string {
    return `${this.id.service}/${this.id.number}/${id}`;
  }

  own({ epoch, watermark }: ClaimedShard): void {
    invariant(this.activations.size === 0, "a shard is claimed with nothing of an earlier epoch in memory");
    this.#epoch = epoch;
    this.#watermark = watermark;
    this.#trimming = null;
    this.#versionMax = 0;
    for (const waiter of this.#waiters.splice(0)) waiter();
  }

  /** Gives the shard up: every entity in memory is dropped. Positions that `unknown` names may be durable. */
  disown(reason: SynodError, unknown: (key: string) => number): void {
    this.#epoch = null;
    for (const activation of [...this.activations.values()]) {
      activation.drop(reason, unknown(activation.options.key));
    }
    invariant(this.activations.size === 0, "a dropped shard has nothing in memory");
  }

  /** Resolves when the node owns the shard; say `stop` when nobody waits for that any more. */
  whenOwned(): { readonly promise: Promise<void>; readonly stop: () => void } {
    let waiter = (): void => {};
    const promise = new Promise<void>((resolve) => {
      waiter = resolve;
    });
    this.#waiters.push(waiter);
    const stop = (): void => {
      this.#waiters = this.#waiters.filter((other) => other !== waiter);
    };
    return { promise, stop };
  }

  forget(activation: Activation): void {
    if (this.activations.get(activation.options.key) === activation) {
      this.activations.delete(activation.options.key);
    }
  }

  /**
   * A version never stands for two states of one key at one epoch, even when a row went away between: a
   * row that is created gets a version above all that this node has seen in the shard.
   */
  nextVersion(current: number): number {
    const next = (current === 0 ? this.#versionMax : current) + 1;
    this.noteVersion(next);
    return next;
  }

  noteVersion(version: number): void {
    if (version > this.#versionMax) this.#versionMax = version;
  }

  /**
   * Whether the record of a timed key may have been removed. While a trim that could remove it is under way
   * nobody knows, so the answer waits for it.
   */
  async forgot(keyTime: number): Promise<boolean> {
    while (this.#trimming !== null && keyTime <= this.#trimming.cap) await this.#trimming.done;
    if (!this.owned) throw new SynodError("unavailable", "the shard was given up");
    return keyTime <= this.#watermark;
  }

  /** Runs a trim whose watermark may rise to `cap`; it returns the watermark that the store now has. */
  async trim(cap: number, run: () => Promise<number>): Promise<void> {
    invariant(this.#trimming === null, "a shard is trimmed once at a time");
    const epoch = this.#epoch;
    const work = run().then((watermark) => {
      if (this.#epoch === epoch && watermark > this.#watermark) this.#watermark = watermark;
    });
    const own = { cap, done: work.catch(() => {}) };
    this.#trimming = own;
    try {
      await work;
    } finally {
      if (this.#trimming === own) this.#trimming = null;
    }
  }
}
