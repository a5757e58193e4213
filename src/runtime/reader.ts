/** Reads from the store, gathered: everything that one turn of the event loop asks for is one store call. */
import type { Clock } from "../ports/clock.ts";
import type { Read, ReadResult, Store } from "../ports/store.ts";

interface Pending {
  readonly read: Read;
  resolve(result: ReadResult): void;
  reject(error: unknown): void;
}

export class Reader {
  readonly #store: Store;
  readonly #clock: Clock;
  #pending: Pending[] = [];

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  read(read: Read): Promise<ReadResult> {
    if (this.#pending.length === 0) this.#clock.soon(() => void this.#flush());
    return new Promise((resolve, reject) => this.#pending.push({ read, resolve, reject }));
  }

  async #flush(): Promise<void> {
    const batch = this.#pending;
    this.#pending = [];
    try {
      const results = await this.#store.read(batch.map(({ read }) => read));
      for (const [index, pending] of batch.entries()) pending.resolve(results[index]!);
    } catch (error) {
      for (const pending of batch) pending.reject(error);
    }
  }
}
