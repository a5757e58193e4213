/**
 * The memory budget for active entities. The ones used longest ago go first, and only when they are idle: an
 * entity with a handler, a queue or an undurable change stays (see the mailbox).
 *
 * A durable command stays active until it is done, and to be done it needs those that it calls. So part of the memory is
 * kept for calls of a chain that was admitted: whoever comes from outside finds the door closed before they do.
 * (A restaurant that seats nobody at the tables by the kitchen, because the waiters have to get through.)
 */

/** What can be put out of memory. */
export interface Passivable {
  readonly bytes: number;
  /** Nothing runs, waits or is undurable. */
  readonly idle: boolean;
  /** Leaves memory; its durable state stays in the store. */
  passivate(): void;
}

export interface MemoryBounds {
  /** For whatever comes from outside. */
  readonly bytesMax: number;
  /** Beyond that, for calls of an admitted chain. */
  readonly reserveBytesMax: number;
}

/** How many entities in use one search for idle ones passes over. */
const searchLengthMax = 64;

export class EntityMemory {
  readonly #bounds: MemoryBounds;
  /** In order of last use. */
  readonly #entities = new Map<Passivable, number>();
  #bytes = 0;

  constructor(bounds: MemoryBounds) {
    this.#bounds = bounds;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get length(): number {
    return this.#entities.size;
  }

  /**
   * Whether another entity may be activated, where that part (0 to 1) of the reserve may be used. Past the budget only
   * what is idle makes room.
   */
  hasRoom(reservePart: number): boolean {
    const { bytesMax, reserveBytesMax } = this.#bounds;
    if (this.#bytes > bytesMax) this.#makeRoom();
    return this.#bytes <= bytesMax + reservePart * reserveBytesMax;
  }

  /** The entity was used, and may have grown. */
  touch(entity: Passivable): void {
    this.remove(entity);
    this.#add(entity);
    if (this.#bytes > this.#bounds.bytesMax) this.#makeRoom();
  }

  remove(entity: Passivable): void {
    const bytes = this.#entities.get(entity);
    if (bytes === undefined) return;
    this.#entities.delete(entity);
    this.#bytes -= bytes;
  }

  #add(entity: Passivable): void {
    const { bytes } = entity;
    this.#entities.set(entity, bytes);
    this.#bytes += bytes;
  }

  #makeRoom(): void {
    const passedOver: Passivable[] = [];
    for (const entity of this.#entities.keys()) {
      if (this.#bytes <= this.#bounds.bytesMax || passedOver.length >= searchLengthMax) break;
      if (!entity.idle) {
        passedOver.push(entity);
        continue;
      }
      this.remove(entity);
      entity.passivate();
    }
    // They are in use: behind them the next search finds others.
    for (const entity of passedOver) {
      this.remove(entity);
      this.#add(entity);
    }
  }
}
