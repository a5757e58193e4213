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

/** An entity in the order of use. */
interface Place {
  readonly entity: Passivable;
  bytes: number;
  previous: Place;
  next: Place;
}

export class EntityMemory {
  readonly #bounds: MemoryBounds;
  readonly #places = new Map<Passivable, Place>();
  /**
   * The places in order of last use, as a ring through one that stands for no entity: what follows it was used longest
   * ago. Not the order of the Map, whose first key takes the longer to find the more was taken out before it.
   */
  readonly #ring: Place = emptyRing();
  #bytes = 0;

  constructor(bounds: MemoryBounds) {
    this.#bounds = bounds;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get length(): number {
    return this.#places.size;
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
    let place = this.#places.get(entity);
    if (place === undefined) {
      place = { entity, bytes: 0, previous: this.#ring, next: this.#ring };
      this.#places.set(entity, place);
    } else {
      unlink(place);
    }
    const { bytes } = entity;
    this.#bytes += bytes - place.bytes;
    place.bytes = bytes;
    this.#putLast(place);
    if (this.#bytes > this.#bounds.bytesMax) this.#makeRoom();
  }

  remove(entity: Passivable): void {
    const place = this.#places.get(entity);
    if (place === undefined) return;
    this.#places.delete(entity);
    unlink(place);
    this.#bytes -= place.bytes;
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
    for (let place = this.#ring.next; place !== this.#ring; place = place.next) {
      if (this.#bytes <= this.#bounds.bytesMax || passedOver.length >= searchLengthMax) break;
      const { entity } = place;
      if (!entity.idle) {
        passedOver.push(place);
        continue;
      }
      this.remove(entity);
      entity.passivate();
    }
    // They are in use: behind them the next search finds others.
    for (const place of passedOver) {
      unlink(place);
      this.#putLast(place);
    }
  }
}

function unlink({ previous, next }: Place): void {
  previous.next = next;
  next.previous = previous;
}

function emptyRing(): Place {
  const nobody: Passivable = { bytes: 0, idle: false, passivate: () => {} };
  const ring = { entity: nobody, bytes: 0 } as Place;
  ring.previous = ring;
  ring.next = ring;
  return ring;
}
