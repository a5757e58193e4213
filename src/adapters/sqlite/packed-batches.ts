/** Commit batches as flat arrays. Pending work costs a batch that has none of it one place per entity and shard. */
import type { CommitBatch } from "../../ports/store.ts";
import type { EntityWork, ShardProgress } from "../../ports/work.ts";
import {
  packEntry,
  packItem,
  packList,
  packMessage,
  packTimer,
  type Scalar,
  type Unpacking,
  unpackEntry,
  unpackItem,
  unpacking,
  unpackMessage,
  unpackTimer,
} from "./packing.ts";

export type PackedBatch = readonly Scalar[];

/** Where there may be something or nothing. */
const [absent, present] = [0, 1];

export function packBatch({ incarnation, shards }: CommitBatch): PackedBatch {
  const packed: Scalar[] = [incarnation, shards.length];
  for (const { shard, epoch, entities, floors, sessionNext, progress } of shards) {
    packed.push(shard.service, shard.number, epoch, entities.length);
    for (const { key, expectedVersion, version, stateVersion, state, records, work } of entities) {
      packed.push(key, expectedVersion, version, stateVersion, state, records.length);
      for (const { id, inputHash, reply, finishedAt, keyTime } of records) {
        packed.push(id, inputHash, reply, finishedAt, keyTime);
      }
      packed.push(work === null ? absent : present);
      if (work !== null) packWork(packed, work);
    }
    packed.push(floors.length);
    for (const { session, floor, open } of floors) packed.push(session, floor, open.length, ...open);
    packed.push(sessionNext, progress === null ? absent : present);
    if (progress !== null) packProgress(packed, progress);
  }
  return packed;
}

function packWork(packed: Scalar[], { accepted, finished, sent, timersSet, timersCleared }: EntityWork): void {
  packList(packed, accepted, (item) => packItem(packed, item));
  packList(packed, finished, (number) => packed.push(number));
  packList(packed, sent, (message) => packMessage(packed, message));
  packList(packed, timersSet, (timer) => packTimer(packed, timer));
  packList(packed, timersCleared, (name) => packed.push(name));
}

function packProgress(packed: Scalar[], progress: ShardProgress): void {
  packList(packed, progress.items, ({ number, attempts, parked, holdsTurn, journal }) => {
    packed.push(number, attempts, parked, Number(holdsTurn));
    packList(packed, journal, (entry) => packEntry(packed, entry));
  });
  packList(packed, progress.itemsDropped, (number) => packed.push(number));
  packList(packed, progress.messages, ({ number, attempts, parked }) => packed.push(number, attempts, parked));
  packList(packed, progress.messagesSettled, (number) => packed.push(number));
  packList(packed, progress.timersCounted, ({ key, name, generation, attempts }) => {
    packed.push(key, name, generation, attempts);
  });
  packList(packed, progress.released, ({ key, name, generation, message }) => {
    packed.push(key, name, generation);
    packMessage(packed, message);
  });
}

export function unpackBatch(packed: PackedBatch): CommitBatch {
  const values = unpacking(packed);
  const { text, number, textOrNull, numberOrNull, list } = values;
  const record = () => ({
    id: text(),
    inputHash: text(),
    reply: text(),
    finishedAt: numberOrNull(),
    keyTime: numberOrNull(),
  });
  const entity = () => ({
    key: text(),
    expectedVersion: number(),
    version: number(),
    stateVersion: number(),
    state: textOrNull(),
    records: list(record),
    work: number() === absent ? null : unpackWork(values),
  });
  const floor = () => ({ session: text(), floor: number(), open: list(number) });
  const changes = () => ({
    shard: { service: text(), number: number() },
    epoch: number(),
    entities: list(entity),
    floors: list(floor),
    sessionNext: numberOrNull(),
    progress: number() === absent ? null : unpackProgress(values),
  });
  return { incarnation: number(), shards: list(changes) };
}

function unpackWork(values: Unpacking): EntityWork {
  const { text, number, list } = values;
  return {
    accepted: list(() => unpackItem(values)),
    finished: list(number),
    sent: list(() => unpackMessage(values)),
    timersSet: list(() => unpackTimer(values)),
    timersCleared: list(text),
  };
}

function unpackProgress(values: Unpacking): ShardProgress {
  const { text, number, textOrNull, list } = values;
  const item = () => ({
    number: number(),
    attempts: number(),
    parked: textOrNull(),
    holdsTurn: number() === 1,
    journal: list(() => unpackEntry(values)),
  });
  const message = () => ({ number: number(), attempts: number(), parked: textOrNull() });
  const release = () => ({ key: text(), name: text(), generation: number(), message: unpackMessage(values) });
  const count = () => ({ key: text(), name: text(), generation: number(), attempts: number() });
  return {
    items: list(item),
    itemsDropped: list(number),
    messages: list(message),
    messagesSettled: list(number),
    timersCounted: list(count),
    released: list(release),
  };
}
