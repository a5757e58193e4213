/**
 * Random pending work for the differential test: mostly what an owner could say of what is there, now and then something
 * that every store must refuse or pass over.
 */
import fc from "fast-check";
import type { CallRecord, PageRead, Read, ShardId, Store } from "../../src/ports/store.ts";
import type {
  EntityWork,
  InboxItem,
  JournaledItem,
  OutboxMessage,
  ShardProgress,
  TimerRow,
} from "../../src/ports/work.ts";

/** What the model has of a shard, and the number that the next new thing gets. */
export interface ShardWork {
  readonly items: readonly JournaledItem[];
  readonly messages: readonly OutboxMessage[];
  readonly timers: readonly TimerRow[];
  nextNumber: number;
}

const limit = 1_000;

export async function shardWorkOf(
  model: Store,
  shard: ShardId,
  keys: readonly string[],
  nextNumber: number,
): Promise<ShardWork> {
  const items = keys.map((key): Read => ({ kind: "inboxOf", shard, key, after: 0, limit }));
  const [messages, timers, ...inboxes] = await model.read([
    { kind: "outbox", shard, after: 0, limit },
    { kind: "timers", shard, after: null, limit },
    ...items,
  ]);
  return {
    items: inboxes.flatMap((result) => (result.kind === "inboxOf" ? result.page.rows : [])),
    messages: messages?.kind === "outbox" ? messages.page.rows : [],
    timers: timers?.kind === "timers" ? timers.page.rows : [],
    nextNumber,
  };
}

/** Reads whose answers tell of all pending work of a shard: whole, and from somewhere on in small pages. */
export function readsOfWork(shard: ShardId, keys: readonly string[]): Read[] {
  const timers = (after: Extract<PageRead, { kind: "timers" }>["after"], length: number): Read => {
    return { kind: "timers", shard, after, limit: length };
  };
  return [
    ...keys.map((key): Read => ({ kind: "inboxOf", shard, key, after: 0, limit })),
    ...keys.flatMap((key): Read[] => [
      { kind: "timersOf", shard, key, limit },
      { kind: "timersOf", shard, key, limit: 1 },
    ]),
    ...(["inbox", "outbox"] as const).flatMap((kind): Read[] => [
      { kind, shard, after: 0, limit },
      { kind, shard, after: 0, limit: 2 },
      { kind, shard, after: 5, limit: 2 },
    ]),
    timers(null, limit),
    timers(null, 2),
    timers({ dueAt: 2, key: keys[1]!, name: "b" }, 2),
  ];
}

const names = ["a", "b\uff5e", "b\u{1F600}"];
const text = fc.constantFrom("", "x", "\u{1F600}", "'");
const wrongSeldom = <Value>(value: fc.Arbitrary<Value>, wrong: fc.Arbitrary<Value>) => {
  return fc.oneof({ weight: 60, arbitrary: value }, { weight: 1, arbitrary: wrong });
};

export const workForm = fc.option(
  fc.array(
    fc.record({
      kind: fc.constantFrom("accept", "finish", "send", "set", "clear"),
      pick: fc.nat(7),
      text: wrongSeldom(text, fc.constant("\0")),
      /** Uses a number that is taken, or finishes an item of another key. */
      stray: fc.nat(30).map((number) => number === 0),
    }),
    { minLength: 1, maxLength: 4 },
  ),
  { freq: 2 },
);
export type WorkForm = typeof workForm extends fc.Arbitrary<infer Value> ? Value : never;

export const progressForm = fc.option(
  fc.array(
    fc.record({
      kind: fc.constantFrom("advance", "drop", "count", "settle", "try", "release"),
      pick: fc.nat(7),
      text: wrongSeldom(text, fc.constant("\ud800")),
      journal: fc.array(fc.constantFrom("1", "2", "3"), { maxLength: 3 }),
      /** About what is not there, or at another generation. */
      stray: fc.nat(8).map((number) => number === 0),
    }),
    { minLength: 1, maxLength: 4 },
  ),
  { freq: 2 },
);
export type ProgressForm = typeof progressForm extends fc.Arbitrary<infer Value> ? Value : never;

const origin = { operation: "o", input: null, principal: "p", request: "r", traceparent: null };

function itemOf(number: number, key: string, pick: number, input: string): InboxItem {
  const call = pick % 2 === 0 ? null : { session: "node 1", number: pick };
  const found = { id: `item-${number}`, inputHash: input, keyTime: pick % 3 === 0 ? null : 8 + pick, call };
  return { number, key, ...origin, input, ...found, acceptedAt: pick, attempts: 1, parked: null, holdsTurn: false };
}

function messageOf(number: number, key: string, input: string): OutboxMessage {
  return { number, key, service: "s", target: input, ...origin, sentAt: number, attempts: 0, parked: null };
}

/** The work, and the records of the items that it finishes. */
export function workOf(
  forms: NonNullable<WorkForm>,
  key: string,
  there: ShardWork,
): { readonly work: EntityWork; readonly records: readonly CallRecord[] } {
  const work = { accepted: [], finished: [], sent: [], timersSet: [], timersCleared: [] } as Mutable<EntityWork>;
  const records: CallRecord[] = [];
  for (const { kind, pick, text: input, stray } of forms) {
    const number = stray ? (there.messages[0]?.number ?? 1) : there.nextNumber++;
    if (kind === "accept") work.accepted.push(itemOf(number, key, pick, input));
    if (kind === "send") work.sent.push(messageOf(number, key, input));
    const name = names[pick % names.length]!;
    const isNamed = work.timersSet.some((timer) => timer.name === name) || work.timersCleared.includes(name);
    if (kind === "set" && (!isNamed || stray)) {
      const service = pick % 2 === 0 ? null : "s";
      work.timersSet.push({
        key,
        name,
        generation: number,
        dueAt: pick % 4,
        service,
        target: input,
        ...origin,
        attempts: 0,
      });
    }
    if (kind === "clear" && (!isNamed || stray)) work.timersCleared.push(name);
    const items = there.items.filter((item) => item.key === key || stray);
    const item = items[pick % Math.max(1, items.length)];
    if (kind !== "finish" || item === undefined || work.finished.includes(item.number)) continue;
    work.finished.push(item.number);
    records.push({ id: item.id, inputHash: "h", reply: "{}", finishedAt: 20 + pick, keyTime: item.keyTime });
  }
  return { work, records };
}

type Mutable<Lists> = { -readonly [Name in keyof Lists]: Lists[Name] extends readonly (infer Item)[] ? Item[] : never };

export function progressOf(forms: NonNullable<ProgressForm>, there: ShardWork): ShardProgress {
  const progress = {
    items: [],
    itemsDropped: [],
    messages: [],
    messagesSettled: [],
    timersCounted: [],
    released: [],
  } as Mutable<ShardProgress>;
  const one = <Row>(rows: readonly Row[], pick: number): Row | undefined => rows[pick % Math.max(1, rows.length)];
  const isNew = (rows: readonly { readonly number: number }[], number: number): boolean => {
    return !rows.some((row) => row.number === number);
  };
  for (const { kind, pick, text: parked, journal, stray } of forms) {
    const item = stray ? 900 + pick : (one(there.items, pick)?.number ?? 1);
    const message = stray ? 900 + pick : (one(there.messages, pick)?.number ?? 1);
    if (kind === "advance" && isNew(progress.items, item)) {
      const entries = [...new Set(journal)].map((id) => ({ id, name: id, inputHash: parked, outcome: parked || null }));
      progress.items.push({
        number: item,
        attempts: pick,
        parked: parked || null,
        holdsTurn: pick % 2 === 0,
        journal: entries,
      });
    }
    if (kind === "drop" && !progress.itemsDropped.includes(item)) progress.itemsDropped.push(item);
    if (kind === "count" && isNew(progress.messages, message)) {
      progress.messages.push({ number: message, attempts: pick, parked: parked || null });
    }
    if (kind === "settle" && !progress.messagesSettled.includes(message)) progress.messagesSettled.push(message);
    const timer = one(there.timers, pick);
    if (timer === undefined) continue;
    const { key, name } = timer;
    const generation = timer.generation + (stray ? 1 : 0);
    const isCounted = progress.timersCounted.some((other) => other.key === key && other.name === name);
    if (kind === "try" && !isCounted) progress.timersCounted.push({ key, name, generation, attempts: pick });
    if (kind !== "release") continue;
    progress.released.push({ key, name, generation, message: messageOf(there.nextNumber++, key, parked) });
  }
  return progress;
}
