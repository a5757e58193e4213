/** The pending work of one shard as the commits that the store accepted say that it must be; the store is not asked. */
import type {
  EntityWork,
  InboxItem,
  JournalEntry,
  OutboxMessage,
  ShardProgress,
  TimerRelease,
  TimerRow,
} from "../../ports/work.ts";

export interface ExpectedItem {
  item: InboxItem;
  /** By id, in the order in which they were first written. */
  readonly journal: Map<string, JournalEntry>;
}

export interface SentMessage {
  readonly message: OutboxMessage;
  /** It was a timer before: it takes its number when it is due, and is committed after that. */
  readonly released: boolean;
  /** Whether it was ever put aside: then later ones of its pair may have gone before it. */
  parked: boolean;
}

export class ShardWork {
  readonly items: Map<number, ExpectedItem> = new Map();
  /** Numbers of all items that were ever accepted. */
  readonly accepted: Set<number> = new Set();
  /** Messages that are not settled, and all that ever were sent; by number. */
  readonly outbox: Set<number> = new Set();
  readonly sent: Map<number, SentMessage> = new Map();
  readonly #timers = new Map<string, TimerRow>();
  /** Generations of all timers that were ever set. */
  readonly generations: Set<number> = new Set();

  timer(key: string, name: string): TimerRow | undefined {
    return this.#timers.get(placeOf(key, name));
  }

  timerOf(key: string, generation: number): TimerRow | undefined {
    if (!this.generations.has(generation)) return undefined;
    for (const row of this.#timers.values()) if (row.key === key && row.generation === generation) return row;
    return undefined;
  }

  /** How many timers an entity has, messages that leave later among them. */
  timersOf(key: string): number {
    let length = 0;
    for (const row of this.#timers.values()) if (row.key === key) length += 1;
    return length;
  }

  itemsOf(key: string): ExpectedItem[] {
    return [...this.items.values()].filter(({ item }) => item.key === key);
  }

  apply(key: string, { accepted, finished, sent, timersSet, timersCleared }: EntityWork): void {
    for (const number of finished) this.items.delete(number);
    for (const item of accepted) {
      this.accepted.add(item.number);
      this.items.set(item.number, { item, journal: new Map() });
    }
    for (const message of sent) this.#send(message, false);
    for (const row of timersSet) {
      this.generations.add(row.generation);
      this.#timers.set(placeOf(key, row.name), row);
    }
    for (const name of timersCleared) this.#timers.delete(placeOf(key, name));
  }

  progress({ items, itemsDropped, messages, messagesSettled, released }: ShardProgress): void {
    for (const { number, attempts, parked, holdsTurn, journal } of items) {
      const known = this.items.get(number);
      if (known === undefined) continue;
      known.item = { ...known.item, attempts, parked, holdsTurn };
      for (const entry of journal) known.journal.set(entry.id, entry);
    }
    for (const number of itemsDropped) this.items.delete(number);
    for (const release of released) this.#release(release);
    for (const { number, parked } of messages) {
      const known = this.sent.get(number);
      if (known !== undefined && parked !== null) known.parked = true;
    }
    for (const number of messagesSettled) this.outbox.delete(number);
  }

  #send(message: OutboxMessage, released: boolean): void {
    this.outbox.add(message.number);
    this.sent.set(message.number, { message, released, parked: message.parked !== null });
  }

  #release({ key, name, generation, message }: TimerRelease): void {
    if (this.timer(key, name)?.generation !== generation) return;
    this.#timers.delete(placeOf(key, name));
    this.#send(message, true);
  }
}

function placeOf(key: string, name: string): string {
  return `${key}\0${name}`;
}
