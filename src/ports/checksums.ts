/** The checksums of rows in stores that keep them on disk: written with them, and compared when they are read again. */

import { checksum } from "../values/hash.ts";
import type { CallRecord, EntityRow, ShardId } from "./store.ts";
import type {
  InboxItem,
  ItemProgress,
  JournalEntry,
  MessageProgress,
  OutboxMessage,
  TimerCount,
  TimerRow,
} from "./work.ts";

export function entityChecksum(service: string, key: string, { version, stateVersion, state }: EntityRow): number {
  return checksum(service, key, version, stateVersion, state);
}

export function recordChecksum(service: string, { id, inputHash, reply, finishedAt, keyTime }: CallRecord): number {
  return checksum(service, id, inputHash, reply, finishedAt ?? "", keyTime ?? "");
}

/** Of what was accepted; how far it has come has {@link itemProgressChecksum}. */
export function itemChecksum(shard: ShardId, item: InboxItem): number {
  const { number, key, operation, input, id, inputHash, keyTime, call, principal, request, traceparent } = item;
  const caller = [call?.session ?? "", call?.number ?? ""];
  const rest = [principal, request, ...orNothing(traceparent), item.acceptedAt];
  return sum(shard, number, key, operation, ...orNothing(input), id, inputHash, keyTime ?? "", ...caller, ...rest);
}

type ItemState = Omit<ItemProgress, "journal">;

export function itemProgressChecksum(shard: ShardId, { number, attempts, parked, holdsTurn }: ItemState): number {
  return sum(shard, number, attempts, ...orNothing(parked), Number(holdsTurn));
}

export function entryChecksum(shard: ShardId, item: number, { id, name, inputHash, outcome }: JournalEntry): number {
  return sum(shard, item, id, name, inputHash, ...orNothing(outcome));
}

/** Of what was sent; how far it has come has {@link messageProgressChecksum}. */
export function messageChecksum(shard: ShardId, message: OutboxMessage): number {
  const { number, key, service, target, operation, input, principal, request, traceparent, sentAt } = message;
  const call = [service, ...orNothing(target), operation, ...orNothing(input)];
  return sum(shard, number, key, ...call, principal, request, ...orNothing(traceparent), sentAt);
}

export function messageProgressChecksum(shard: ShardId, { number, attempts, parked }: MessageProgress): number {
  return sum(shard, number, attempts, ...orNothing(parked));
}

/** Of what was set; how often it was tried has {@link timerCountChecksum}. */
export function timerChecksum(shard: ShardId, timer: TimerRow): number {
  const { key, name, generation, dueAt, service, target, operation, input, principal, request, traceparent } = timer;
  const call = [...orNothing(service), ...orNothing(target), operation, ...orNothing(input)];
  return sum(shard, key, name, generation, dueAt, ...call, principal, request, ...orNothing(traceparent));
}

export function timerCountChecksum(shard: ShardId, { key, name, generation, attempts }: TimerCount): number {
  return sum(shard, key, name, generation, attempts);
}

function sum({ service, number }: ShardId, ...parts: (string | number)[]): number {
  return checksum(service, number, ...parts);
}

/** No text is another thing than empty text. */
function orNothing(text: string | null): readonly (string | number)[] {
  return text === null ? [0] : [1, text];
}
