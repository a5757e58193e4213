/**
 * Reads from the store, gathered: everything that one turn of the event loop asks for is one store call. What earlier
 * owners left is read besides, a bounded part of it at a time, so that a call which needs an entity never waits until
 * all of a backlog has been read.
 */
import type { Clock } from "../ports/clock.ts";
import type { PageRead, Read, ReadResult, Store } from "../ports/store.ts";

/** Rows that reads of a backlog may ask for in one store call. */
const backlogRowsMax = 1_024;

interface Pending<Asked> {
  readonly read: Asked;
  resolve(result: ReadResult): void;
  reject(error: unknown): void;
}

export class Reader {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #pending: Pending<Read>[] = [];
  readonly #backlog: Pending<PageRead>[] = [];
  #backlogUnderWay = false;

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  read(read: Read): Promise<ReadResult> {
    if (this.#pending.length === 0) this.#clock.soon(() => void this.#flush());
    return new Promise((resolve, reject) => this.#pending.push({ read, resolve, reject }));
  }

  /** For pages of what earlier owners left: they wait for each other, and for nothing else. */
  readBacklog(read: PageRead): Promise<ReadResult> {
    return new Promise((resolve, reject) => {
      this.#backlog.push({ read, resolve, reject });
      if (this.#backlogUnderWay) return;
      this.#backlogUnderWay = true;
      this.#clock.soon(() => void this.#flushBacklog());
    });
  }

  async #flushBacklog(): Promise<void> {
    while (this.#backlog.length > 0) {
      let rows = 0;
      const over = this.#backlog.findIndex(({ read }, index) => {
        rows += read.limit;
        return index > 0 && rows > backlogRowsMax;
      });
      await this.#answer(this.#backlog.splice(0, over < 0 ? this.#backlog.length : over));
    }
    this.#backlogUnderWay = false;
  }

  #flush(): Promise<void> {
    return this.#answer(this.#pending.splice(0));
  }

  async #answer(batch: readonly Pending<Read>[]): Promise<void> {
    try {
      const results = await this.#store.read(batch.map(({ read }) => read));
      for (const [index, pending] of batch.entries()) pending.resolve(results[index]!);
    } catch (error) {
      for (const pending of batch) pending.reject(error);
    }
  }
}
