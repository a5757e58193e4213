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

/** An entity in the order of use. */
interface Place {
  readonly entity: Passivable;
  bytes: number;
  previous: Place;
  next: Place;
}

export class EntityMemory {
  readonly #bytesMax: number;
  readonly #places = new Map<Passivable, Place>();
  /**
   * A ring of places through a last one that stands for no entity: what follows it was used longest ago. Not the order
   * of the Map, whose first key takes the longer to find the more were taken out before it.
   */
  readonly #ring: Place;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    const ring = { entity: nobody, bytes: 0 } as Place;
    ring.previous = ring;
    ring.next = ring;
    this.#ring = ring;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get length(): number {
    return this.#places.size;
  }

  /** Whether another entity may be activated. Past the budget only what is idle makes room. */
  get hasRoom(): boolean {
    if (this.#bytes > this.#bytesMax) this.#makeRoom();
    return this.#bytes <= this.#bytesMax;
  }

  /** The entity was used, and may have grown. */
  touch(entity: Passivable): void {
    const place = this.#places.get(entity) ?? this.#newPlace(entity);
    const { bytes } = entity;
    this.#bytes += bytes - place.bytes;
    place.bytes = bytes;
    unlink(place);
    this.#putLast(place);
    if (this.#bytes > this.#bytesMax) this.#makeRoom();
  }

  remove(entity: Passivable): void {
    const place = this.#places.get(entity);
    if (place === undefined) return;
    this.#places.delete(entity);
    unlink(place);
    this.#bytes -= place.bytes;
  }

  #newPlace(entity: Passivable): Place {
    const place = { entity, bytes: 0 } as Place;
    this.#places.set(entity, place);
    this.#putLast(place);
    return place;
  }

  #putLast(place: Place): void {
    const { previous } = this.#ring;
    place.previous = previous;
    place.next = this.#ring;
    previous.next = place;
    this.#ring.previous = place;
  }

  #makeRoom(): void {
    let passedOver = 0;
    for (let place = this.#ring.next; place !== this.#ring; place = place.next) {
      if (this.#bytes <= this.#bytesMax || passedOver >= searchLengthMax) return;
      const { entity } = place;
      if (!entity.idle) {
        passedOver += 1;
        continue;
      }
      this.remove(entity);
      entity.passivate();
    }
  }
}

function unlink({ previous, next }: Place): void {
  previous.next = next;
  next.previous = previous;
}

const nobody: Passivable = { bytes: 0, idle: false, passivate: () => {} };
