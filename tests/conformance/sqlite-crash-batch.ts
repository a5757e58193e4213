/** What the program that dies at every step commits. */
import type { CommitBatch, EntityChange, ShardChanges } from "../../src/ports/store.ts";
import type { InboxItem, JournaledItem, OutboxMessage, TimerRow } from "../../src/ports/work.ts";
import { sessionRecordId } from "../../src/values/ids.ts";

export const crashService = "account";
export const crashKeys = ["a", "b"];
const crashSession = "node";
/** Numbers of the shard's session that each version takes. */
const numbersPerVersion = 5;

/**
 * Rows and records in two shards, and pending work in the first, all of one version; what is older is settled, finished
 * or released.
 */
export function crashBatch(version: number): CommitBatch {
  return {
    incarnation: 1,
    shards: [0, 1].map((number) => ({
      shard: { service: crashService, number },
      epoch: 1,
      entities: crashKeys.map((key, at) => ({
        key,
        expectedVersion: version - 1,
        version,
        stateVersion: version,
        state: JSON.stringify(version),
        records: [
          { id: `${key}-${version}`, inputHash: "", reply: "{}", finishedAt: 1, keyTime: version },
          { id: crashCall(version, at), inputHash: "", reply: "{}", finishedAt: null, keyTime: null },
        ],
        work: number === 0 && at === 0 ? workAt(version) : null,
      })),
      // The calls of the version before are settled.
      floors: [{ session: crashSession, floor: version * crashKeys.length, open: [] }],
      sessionNext: number === 0 ? crashSessionNext(version) : null,
      progress: number === 0 ? progressAt(version) : null,
    })),
  };
}

/** The record of the call by which the session changed the key at that place to that version. */
export function crashCall(version: number, at: number): string {
  return sessionRecordId(crashSession, version * crashKeys.length + at);
}

export function crashSessionNext(version: number): number {
  return (version + 1) * numbersPerVersion;
}

interface CrashPending {
  readonly items: readonly JournaledItem[];
  readonly messages: readonly OutboxMessage[];
  readonly timers: readonly TimerRow[];
}

const origin = { operation: "o", input: null, principal: "p", request: "r", traceparent: null };

/** What there is of pending work at a version: an item that was tried again, two messages and a timer, all its own. */
export function crashPending(version: number): CrashPending {
  const number = version * numbersPerVersion;
  const journal = [{ id: "call", name: "n", inputHash: "", outcome: String(version) }];
  // The last timer has become a message.
  const released = version > 1 ? [messageOf(number + 3)] : [];
  return {
    items: [{ ...itemOf(number), attempts: 2, journal }],
    messages: [{ ...messageOf(number + 1), attempts: 1 }, ...released],
    timers: [{ ...timerOf(number + 2), attempts: 1 }],
  };
}

function workAt(version: number): EntityChange["work"] {
  const number = version * numbersPerVersion;
  const finished = version > 1 ? [number - numbersPerVersion] : [];
  return {
    accepted: [itemOf(number)],
    finished,
    sent: [messageOf(number + 1)],
    timersSet: [timerOf(number + 2)],
    timersCleared: [],
  };
}

function progressAt(version: number): ShardChanges["progress"] {
  const number = version * numbersPerVersion;
  const [item] = crashPending(version).items;
  const before = number - numbersPerVersion;
  const timer = timerOf(before + 2);
  const release = { key: timer.key, name: timer.name, generation: before + 2, message: messageOf(number + 3) };
  return {
    items: [{ number, attempts: 2, parked: null, holdsTurn: false, journal: item!.journal }],
    itemsDropped: [],
    messages: [{ number: number + 1, attempts: 1, parked: null }],
    messagesSettled: [before + 1, before + 3],
    timersCounted: [{ key: "a", name: `#${number + 2}`, generation: number + 2, attempts: 1 }],
    released: version > 1 ? [release] : [],
  };
}

function itemOf(number: number): InboxItem {
  const found = { id: `item ${number}`, inputHash: "", keyTime: null, call: null };
  return { number, key: "a", ...origin, ...found, acceptedAt: 1, attempts: 1, parked: null, holdsTurn: false };
}

function messageOf(number: number): OutboxMessage {
  return { number, key: "a", service: "s", target: "t", ...origin, sentAt: 1, attempts: 0, parked: null };
}

function timerOf(generation: number): TimerRow {
  return { key: "a", name: `#${generation}`, generation, dueAt: 1, service: "s", target: "t", ...origin, attempts: 0 };
}
