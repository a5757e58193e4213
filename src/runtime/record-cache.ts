/** Recorded replies of late, by shard and id, so that a prompt repeat is answered without the store. */
import type { CallRecord } from "../ports/store.ts";

export class RecordCache {
  readonly #lengthMax: number;
  readonly #records = new Map<string, CallRecord>();

  constructor(lengthMax: number) {
    this.#lengthMax = lengthMax;
  }

  /** `name` is the record's shard and id. */
  get(name: string): CallRecord | undefined {
    return this.#records.get(name);
  }

  /** Only what is durable belongs here. */
  add(name: string, record: CallRecord): void {
    if (this.#records.size >= this.#lengthMax) {
      const oldest = this.#records.keys().next();
      if (!oldest.done) this.#records.delete(oldest.value);
    }
    this.#records.set(name, record);
  }

  clear(): void {
    this.#records.clear();
  }
}
