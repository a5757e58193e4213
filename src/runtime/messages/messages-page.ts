/** What an operator sees of the messages of a service: whatever waits in its outboxes or is parked there. */
import { SynodError } from "../../errors.ts";
import type { ShardId } from "../../ports/store.ts";
import type { OutboxMessage, Page } from "../../ports/work.ts";
import type { Environment } from "../environment.ts";

export interface MessagesQuery {
  readonly service: string;
  /** Only parked ones, or only those that are not; all of them when left out. */
  readonly parked?: boolean;
  /** The `next` of the page before. */
  readonly after?: MessagesPlace;
  /** At the most; 100 when left out. */
  readonly limit?: number;
}

export interface MessagesPlace {
  readonly shard: number;
  readonly number: number;
}

export interface MessagesPage {
  readonly messages: readonly (OutboxMessage & { readonly shard: ShardId })[];
  /** Rows that cannot be read, by their place. */
  readonly damaged: readonly MessagesPlace[];
  /** Where to go on; null when there is nothing behind. A page may have fewer messages than its limit, or none. */
  readonly next: MessagesPlace | null;
}

const limitDefault = 100;
/** Rows that one page is looked for in. */
const rowsMax = 10_000;
/** Rows that one read brings. */
const readRowsMax = 500;

export async function readMessages(environment: Environment, query: MessagesQuery): Promise<MessagesPage> {
  const { service, parked, after = { shard: 0, number: 0 }, limit = limitDefault } = query;
  const messages: (OutboxMessage & { readonly shard: ShardId })[] = [];
  const damaged: MessagesPlace[] = [];
  const { shardsPerService } = environment.store.identity;
  let rows = 0;
  let place: MessagesPlace = after;
  while (place.shard < shardsPerService) {
    if (messages.length >= limit || rows >= rowsMax) return { messages, damaged, next: place };
    const shard = { service, number: place.shard };
    const page = await readPage(environment, shard, place.number, Math.min(readRowsMax, limit));
    rows += page.rows.length + page.damaged.length;
    for (const { at } of page.damaged) damaged.push({ shard: shard.number, number: at });
    for (const message of page.rows) {
      if (parked === undefined || parked === (message.parked !== null)) messages.push({ ...message, shard });
    }
    place = page.next === null ? { shard: place.shard + 1, number: 0 } : { shard: place.shard, number: page.next };
  }
  return { messages, damaged, next: null };
}

async function readPage(
  { reader }: Environment,
  shard: ShardId,
  after: number,
  limit: number,
): Promise<Page<OutboxMessage, number>> {
  const result = await reader.read({ kind: "outbox", shard, after, limit });
  if (result.kind === "corrupt") throw result.error;
  if (result.kind !== "outbox") throw new SynodError("internal", "an outbox is read as an outbox");
  return result.page;
}
