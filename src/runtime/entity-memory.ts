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

/**
 * What an activation at rest takes besides its key and its state, in the heap and in the tables that find it: measured by
 * `tests/host/entity-bytes.test.ts`, which fails when it becomes more.
 */
export const activationBytes = 1_280;

/** How many entities in use one search for idle ones passes over. */
const searchLengthMax = 64;

/** The place of an entity in the order of use, which the entity itself keeps: no table has to be asked for it. */
export class Place {
  readonly entity: Passivable;
  /** As of its last use; 0 while it is not in memory. */
  bytes = 0;
  previous: Place = this;
  next: Place = this;

  constructor(entity: Passivable) {
    this.entity = entity;
  }
}

const nobody: Passivable = { bytes: 0, idle: false, passivate: () => {} };

export class EntityMemory {
  readonly #bounds: MemoryBounds;
  /**
   * The places in order of last use, as a ring through one that stands for no entity: what follows it was used longest
   * ago.
   */
  readonly #ring = new Place(nobody);
  #length = 0;
  #bytes = 0;

  constructor(bounds: MemoryBounds) {
    this.#bounds = bounds;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get length(): number {
    return this.#length;
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
  touch(place: Place): void {
    if (isIn(place)) unlink(place);
    else this.#length += 1;
    this.#putLast(place);
    this.#weigh(place);
  }

  /** An entity that is in memory may have grown or shrunk: its place in the order stays, which others would have to be looked at for. */
  changed(place: Place): void {
    if (isIn(place)) this.#weigh(place);
  }

  #weigh(place: Place): void {
    const { bytes } = place.entity;
    this.#bytes += bytes - place.bytes;
    place.bytes = bytes;
    if (this.#bytes > this.#bounds.bytesMax) this.#makeRoom();
  }

  remove(place: Place): void {
    if (!isIn(place)) return;
    unlink(place);
    this.#length -= 1;
    this.#bytes -= place.bytes;
    place.bytes = 0;
  }

  #putLast(place: Place): void {
    const { previous } = this.#ring;
    place.previous = previous;
    place.next = this.#ring;
    previous.next = place;
    this.#ring.previous = place;
  }

  #makeRoom(): void {
    const passedOver: Place[] = [];
    let place = this.#ring.next;
    while (place !== this.#ring && this.#bytes > this.#bounds.bytesMax && passedOver.length < searchLengthMax) {
      const { entity, next } = place;
      if (entity.idle) {
        this.remove(place);
        entity.passivate();
      } else passedOver.push(place);
      place = next;
    }
    // They are in use: behind them the next search finds others.
    for (const place of passedOver) {
      unlink(place);
      this.#putLast(place);
    }
  }
}

function isIn(place: Place): boolean {
  return place.next !== place;
}

function unlink(place: Place): void {
  const { previous, next } = place;
  previous.next = next;
  next.previous = previous;
  place.previous = place;
  place.next = place;
}
