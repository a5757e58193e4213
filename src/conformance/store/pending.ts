/** Pending work as the tests of a store write it: rows with every column filled, and batches that carry them. */
import assert from "node:assert/strict";
import type { CommitBatch, EntityChange, ShardChanges, ShardId, Store } from "../../ports/store.ts";
import type {
  EntityWork,
  InboxItem,
  ItemProgress,
  JournalEntry,
  JournaledItem,
  OutboxMessage,
  Page,
  ShardProgress,
  TimerPlace,
  TimerRow,
} from "../../ports/work.ts";
import { changes, note, type Owner } from "./fixture.ts";

const origin = { principal: "somebody", request: "request-1", traceparent: "00-1-2-03" };

export function item(number: number, key: string, rest: Partial<InboxItem> = {}): InboxItem {
  return {
    number,
    key,
    operation: "start",
    input: '{"amount":5}',
    id: `item ${number}`,
    inputHash: `hash of ${number}`,
    keyTime: 1_700_000_000_000,
    call: { session: "account/3", number: 17 },
    ...origin,
    acceptedAt: 1_700_000_000_001,
    attempts: 1,
    parked: null,
    holdsTurn: false,
    ...rest,
  };
}

export function entry(id: string, outcome: string | null = null): JournalEntry {
  return { id, name: `call ${id}`, inputHash: `input of ${id}`, outcome };
}

export function message(number: number, key: string, rest: Partial<OutboxMessage> = {}): OutboxMessage {
  const target = { service: "receiver", target: "bob", operation: "take", input: '{"amount":7}' };
  return { number, key, ...target, ...origin, sentAt: 1_700_000_000_002, attempts: 0, parked: null, ...rest };
}

export function timer(generation: number, key: string, rest: Partial<TimerRow> = {}): TimerRow {
  const call = { service: null, target: null, operation: "expire", input: '{"reason":"late"}' };
  return { key, name: "hold", generation, dueAt: 1_700_000_000_003, ...call, ...origin, attempts: 0, ...rest };
}

/** A change that leaves the row as it is (or absent, at version 0) and does this to the entity's pending work. */
export function working(key: string, version: number, work: Partial<EntityWork>): EntityChange {
  return { ...note(key, version, []), work: workOf(work) };
}

export function workOf(work: Partial<EntityWork>): EntityWork {
  return { accepted: [], finished: [], sent: [], timersSet: [], timersCleared: [], ...work };
}

export function progressOf(progress: Partial<ShardProgress>): ShardProgress {
  return {
    items: [],
    itemsDropped: [],
    messages: [],
    messagesSettled: [],
    timersCounted: [],
    released: [],
    ...progress,
  };
}

export function attempt(number: number, attempts: number, rest: Partial<ItemProgress> = {}): ItemProgress {
  return { number, attempts, parked: null, holdsTurn: false, journal: [], ...rest };
}

/** A number that no test reaches. */
const numbersEnd = 1_000_000;

/** A batch for the owner's one shard, in which every number below {@link numbersEnd} was given out. */
export function pendingBatch(
  owner: Owner,
  progress: Partial<ShardProgress> | null,
  ...entities: readonly EntityChange[]
): CommitBatch {
  const shard: ShardChanges = {
    ...changes(owner, ...entities),
    sessionNext: numbersEnd,
    progress: progress === null ? null : progressOf(progress),
  };
  return { incarnation: owner.incarnation, shards: [shard] };
}

/** Commits changes that must be taken. */
export async function commitWork(store: Store, owner: Owner, ...entities: readonly EntityChange[]): Promise<void> {
  await committed(store, pendingBatch(owner, null, ...entities));
}

/** Commits progress that must be taken. */
export async function commitProgress(store: Store, owner: Owner, progress: Partial<ShardProgress>): Promise<void> {
  await committed(store, pendingBatch(owner, progress));
}

async function committed(store: Store, batch: CommitBatch): Promise<void> {
  const result = await store.commit(batch);
  assert.equal(result.status, "committed", JSON.stringify(result));
}

/** More rows than any test has, so that all of them are one page. */
const limit = 100_000;

export async function itemsOf(
  store: Store,
  { shard }: { readonly shard: ShardId },
  key: string,
): Promise<readonly JournaledItem[]> {
  const [result] = await store.read([{ kind: "inboxOf", shard, key, after: 0, limit }]);
  assert.ok(result?.kind === "inboxOf", JSON.stringify(result));
  return whole(result.page);
}

/** All that a shard has of pending work, items without their journals. */
export interface Pending {
  readonly items: readonly InboxItem[];
  readonly messages: readonly OutboxMessage[];
  readonly timers: readonly TimerRow[];
}

export const nothingPending: Pending = { items: [], messages: [], timers: [] };

export async function pendingOf(store: Store, { shard }: { readonly shard: ShardId }): Promise<Pending> {
  const [items, messages, timers] = await store.read([
    { kind: "inbox", shard, after: 0, limit },
    { kind: "outbox", shard, after: 0, limit },
    { kind: "timers", shard, after: null, limit },
  ]);
  assert.ok(items?.kind === "inbox" && messages?.kind === "outbox" && timers?.kind === "timers");
  return { items: whole(items.page), messages: whole(messages.page), timers: whole(timers.page) };
}

function whole<Row>(page: Page<Row, number | TimerPlace>): readonly Row[] {
  assert.deepEqual([page.damaged, page.next], [[], null]);
  return page.rows;
}
