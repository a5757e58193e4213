/**
 * Recorded replies of late, by shard and id, so that a prompt repeat is answered without the store. The oldest one makes
 * room for a new one. Which that is stands in a ring: to ask a full Map for its first key costs microseconds, because
 * what was deleted before it is walked over each time.
 */
import type { CallRecord } from "../ports/store.ts";

export class RecordCache {
  readonly #lengthMax: number;
  readonly #records = new Map<string, CallRecord>();
  /** In the order in which they came; `#next` is the oldest once it is full. */
  readonly #names: string[] = [];
  #next = 0;

  constructor(lengthMax: number) {
    this.#lengthMax = lengthMax;
  }

  /** `name` is the record's shard and id. */
  get(name: string): CallRecord | undefined {
    return this.#records.get(name);
  }

  /** Only what is durable belongs here. */
  add(name: string, record: CallRecord): void {
    if (!this.#records.has(name)) {
      const oldest = this.#names[this.#next];
      if (oldest !== undefined) this.#records.delete(oldest);
      this.#names[this.#next] = name;
      this.#next = (this.#next + 1) % this.#lengthMax;
    }
    this.#records.set(name, record);
  }

  clear(): void {
    this.#records.clear();
    this.#names.length = 0;
    this.#next = 0;
  }
}
