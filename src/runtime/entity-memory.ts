/**
 * The memory budget for active entities. The ones used longest ago go first, and only when they are idle: an
 * entity with a handler, a queue or an undurable change stays (see the mailbox).
 */

/** What can be put out of memory. */
export interface Passivable {
  readonly bytes: number;
  /** Nothing runs, waits or is undurable. */
  readonly idle: boolean;
  /** Leaves memory; its durable state stays in the store. */
  passivate(): void;
}

/** How many entities in use are passed over before a search for idle ones gives up. */
const searchLengthMax = 64;

export class EntityMemory {
  readonly #bytesMax: number;
  /** In order of last use. */
  readonly #entities = new Map<Passivable, number>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get length(): number {
    return this.#entities.size;
  }

  /** Whether another entity may be activated. Past the budget only what is idle makes room. */
  get hasRoom(): boolean {
    if (this.#bytes > this.#bytesMax) this.#makeRoom();
    return this.#bytes <= this.#bytesMax;
  }

  /** The entity was used, and may have grown. */
  touch(entity: Passivable): void {
    this.remove(entity);
    const { bytes } = entity;
    this.#entities.set(entity, bytes);
    this.#bytes += bytes;
    if (this.#bytes > this.#bytesMax) this.#makeRoom();
  }

  remove(entity: Passivable): void {
    const bytes = this.#entities.get(entity);
    if (bytes === undefined) return;
    this.#entities.delete(entity);
    this.#bytes -= bytes;
  }

  #makeRoom(): void {
    let passedOver = 0;
    for (const entity of this.#entities.keys()) {
      if (this.#bytes <= this.#bytesMax || passedOver >= searchLengthMax) return;
      if (!entity.idle) {
        passedOver += 1;
        continue;
      }
      this.remove(entity);
      entity.passivate();
    }
  }
}
