/** What is in the store of a run and waits to be done: durable commands, messages, timers that are due. */
import type { MemoryDatabase } from "../adapters/memory/database.ts";
import type { ShardId } from "../ports/store.ts";
import { nameOfEntity } from "./operation.ts";

export interface PendingThing {
  readonly kind: "item" | "message" | "timer";
  readonly shard: ShardId;
  /** In the shard's session; a timer's generation. */
  readonly number: number;
  readonly words: string;
  /** Why it is parked, as JSON text; null when it is not. */
  readonly parked: string | null;
}

/** Rows of one shard that are looked at. */
const rowsMax = 10_000;

/** `dueBefore`: which timers should have fired, ms since 1970. */
export function pendingThings(database: MemoryDatabase, dueBefore: number): readonly PendingThing[] {
  const things: PendingThing[] = [];
  for (const [service, shards] of database.services) {
    for (const [number, { pending }] of shards.entries()) {
      const shard = { service, number };
      if (pending.inbox.size > 0) {
        for (const item of pending.inbox.page(0, rowsMax).rows) {
          const words = `durable command ${item.operation} of ${nameOfEntity(service, item.key)}`;
          things.push({ kind: "item", shard, number: item.number, words, parked: item.parked });
        }
      }
      for (const { key, operation, ...message } of rowsOf(pending.outbox, 0)) {
        const to = `${nameOfEntity(message.service, message.target)}.${operation}`;
        const words = `message from ${nameOfEntity(service, key)} to ${to}`;
        things.push({ kind: "message", shard, number: message.number, words, parked: message.parked });
      }
      for (const { key, name, generation, dueAt } of rowsOf(pending.timers, null)) {
        if (dueAt >= dueBefore) break;
        const words = `timer ${name} of ${nameOfEntity(service, key)}`;
        things.push({ kind: "timer", shard, number: generation, words, parked: null });
      }
    }
  }
  return things;
}

function rowsOf<Row, Place>(
  rows: { readonly size: number; page(after: Place, limit: number): { readonly rows: readonly Row[] } },
  first: Place,
): readonly Row[] {
  return rows.size === 0 ? [] : rows.page(first, rowsMax).rows;
}

/** Tells two things of one run apart. */
export function nameOfThing({ kind, shard, number }: PendingThing): string {
  return `${kind} ${number} of ${shard.service}/${shard.number}`;
}
