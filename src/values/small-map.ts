/**
 * A map that is empty or has one entry nearly always, as those of an entity at rest and at work are: it takes a few words
 * where a `Map` takes 200 bytes, and what it had taken for more entries is let go when it is empty again. (A purse that
 * holds one key; a ring is bought for the second one.)
 *
 * Its entries come in the order in which they were put in, as those of a `Map`.
 */
export class SmallMap<Key, Value extends object> {
  /** The only entry; without a value there is none here. */
  #key: Key | undefined;
  #value: Value | undefined;
  /** All entries, from the second one on until the last has gone. */
  #more: Map<Key, Value> | null = null;

  get size(): number {
    return this.#more?.size ?? (this.#value === undefined ? 0 : 1);
  }

  get(key: Key): Value | undefined {
    if (this.#more !== null) return this.#more.get(key);
    return this.#key === key ? this.#value : undefined;
  }

  has(key: Key): boolean {
    return this.get(key) !== undefined;
  }

  set(key: Key, value: Value): void {
    if (this.#more !== null) return void this.#more.set(key, value);
    if (this.#value === undefined || this.#key === key) {
      this.#key = key;
      this.#value = value;
      return;
    }
    this.#more = new Map([
      [this.#key!, this.#value],
      [key, value],
    ]);
    this.#forgetOnly();
  }

  /** Says whether it was there. */
  delete(key: Key): boolean {
    if (this.#more !== null) {
      const was = this.#more.delete(key);
      if (this.#more.size === 0) this.#more = null;
      return was;
    }
    const was = this.has(key);
    if (was) this.#forgetOnly();
    return was;
  }

  clear(): void {
    this.#more = null;
    this.#forgetOnly();
  }

  /** A list of its own, which stays as it is whatever comes and goes. */
  values(): readonly Value[] {
    if (this.#more !== null) return [...this.#more.values()];
    return this.#value === undefined ? [] : [this.#value];
  }

  #forgetOnly(): void {
    this.#key = undefined;
    this.#value = undefined;
  }
}
