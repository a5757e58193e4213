/** A queue that gives back what was put in first, in a time that does not grow with its length. */

/** Places at the front that are let stand empty before the rest moves up. */
const emptyMax = 1_024;

export class Fifo<T> {
  #items: (T | undefined)[] = [];
  #from = 0;

  get length(): number {
    return this.#items.length - this.#from;
  }

  add(item: T): void {
    this.#items.push(item);
  }

  take(): T | undefined {
    if (this.#from === this.#items.length) return undefined;
    const item = this.#items[this.#from];
    this.#items[this.#from] = undefined;
    this.#from += 1;
    if (this.#from >= emptyMax && this.#from * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#from);
      this.#from = 0;
    }
    return item;
  }

  /** What `take` would give. */
  first(): T | undefined {
    return this.#items[this.#from];
  }

  /** Takes one item out of the middle. */
  remove(item: T): void {
    const index = this.#items.indexOf(item, this.#from);
    if (index >= 0) this.#items.splice(index, 1);
  }
}
