/**
 * What travels in one commit: the changes of each shard's entities, seat by seat, and what else was said of the shard.
 */
import { invariant } from "../../errors.ts";
import {
  type CallRecord,
  type CommitBatch,
  compareShards,
  type EntityChange,
  type SessionFloor,
  type ShardId,
} from "../../ports/store.ts";
import type { EntityWork } from "../../ports/work.ts";
import type { Prerequisite } from "./prerequisite.ts";
import { bytesOfWork, mergedProgress, nextAfterProgress, nextAfterWork, type Progress, SeatWork } from "./work.ts";

/** One finished command that changed something. */
export interface Change {
  readonly shard: ShardId;
  /** The epoch of the activation that ran the command. */
  readonly epoch: number;
  readonly key: string;
  /** The entity's own number of this change, growing by one. */
  readonly position: number;
  /** The version of the state that the command ran on, and of the one that it left (0: no row). */
  readonly expectedVersion: number;
  readonly version: number;
  readonly stateVersion: number;
  /** The new state; null when the row goes away, undefined when the state is as it was. */
  readonly state: string | null | undefined;
  readonly record: CallRecord | null;
  /** What it did to the entity's pending work; null when nothing. */
  readonly work: Partial<EntityWork> | null;
  /** Floors of sessions that rose in the shard since its last change. */
  readonly floors: readonly SessionFloor[];
  /** Without this it never becomes durable; left out: nothing. */
  readonly requires?: Prerequisite | undefined;
}

/** The changes of one entity that travel together. */
export interface Seat {
  readonly key: string;
  readonly expectedVersion: number;
  version: number;
  stateVersion: number;
  state: string | null | undefined;
  readonly records: CallRecord[];
  work: SeatWork | null;
  position: number;
  /** Null when it requires nothing, as mostly. */
  requires: readonly Prerequisite[] | null;
}

export interface Load {
  readonly shard: ShardId;
  readonly epoch: number;
  readonly seats: Map<string, Seat>;
  /** In the order in which it was said. It travels after the seats, because it may be about what they bring. */
  readonly progress: Progress[];
  /** The newest floor of each session; null when there is none, as mostly. */
  floors: Map<string, SessionFloor> | null;
  /** One more than the highest number that was given out; 0 when none was. */
  sessionNext: number;
}

/** By the shard's name. */
export type Loads = Map<string, Load>;

export function nameOf(shard: ShardId): string {
  return `${shard.service}/${shard.number}`;
}

/**
 * The names of shards, each made once: to make one anew for each change, and to have the table of loads hash it, takes
 * longer than all else that it takes to board. As many as there are shards.
 */
export class ShardNames {
  readonly #byService = new Map<string, string[]>();

  of(shard: ShardId): string {
    let names = this.#byService.get(shard.service);
    if (names === undefined) {
      names = [];
      this.#byService.set(shard.service, names);
    }
    names[shard.number] ??= nameOf(shard);
    return names[shard.number]!;
  }
}

/** The load of the shard of that name, which is added when there is none. */
export function loadOf(
  loads: Loads,
  name: string,
  { shard, epoch }: { readonly shard: ShardId; readonly epoch: number },
): Load {
  let load = loads.get(name);
  if (load === undefined) {
    load = { shard, epoch, seats: new Map(), progress: [], floors: null, sessionNext: 0 };
    loads.set(name, load);
  }
  invariant(load.epoch === epoch, "a dropped shard leaves nothing behind in the committer");
  return load;
}

export function addChange(load: Load, change: Change): void {
  if (change.floors.length > 0) load.floors ??= new Map();
  for (const floor of change.floors) load.floors?.set(floor.session, floor);
  const seat = seatFor(load, change);
  if (change.record !== null) seat.records.push(change.record);
  if (change.requires !== undefined) seat.requires = [...(seat.requires ?? []), change.requires];
  if (change.work === null) return;
  seat.work ??= new SeatWork();
  seat.work.add(change.work);
  load.sessionNext = Math.max(load.sessionNext, nextAfterWork(change.work));
}

function seatFor(load: Load, change: Change): Seat {
  const { key, expectedVersion, version, stateVersion, state, position } = change;
  const seat = load.seats.get(key);
  if (seat === undefined) {
    const first: Seat = {
      key,
      expectedVersion,
      version,
      stateVersion,
      state,
      records: [],
      work: null,
      position,
      requires: null,
    };
    load.seats.set(key, first);
    return first;
  }
  invariant(seat.version === expectedVersion, "changes of one entity build on each other");
  seat.version = version;
  seat.stateVersion = stateVersion;
  if (state !== undefined) seat.state = state;
  seat.position = position;
  return seat;
}

export function addProgress(load: Load, progress: Progress): void {
  load.progress.push(progress);
  load.sessionNext = Math.max(load.sessionNext, nextAfterProgress(progress));
}

export function sizeOf({ key, state, record, work }: Change): number {
  const bytes = key.length + (state?.length ?? 0) + (record?.reply.length ?? 0);
  return work === null ? bytes : bytes + bytesOfWork(work);
}

export function* seatsOf(loads: Loads): Iterable<{ load: Load; seat: Seat }> {
  for (const load of loads.values()) for (const seat of load.seats.values()) yield { load, seat };
}

export function* progressOf(loads: Loads): Iterable<Progress> {
  for (const load of loads.values()) yield* load.progress;
}

/** Seats and progress: what a load can be split into. */
export function partsLength(loads: Loads): number {
  let length = 0;
  for (const { seats, progress } of loads.values()) length += seats.size + progress.length;
  return length;
}

export function toBatch(incarnation: number, loads: Loads): CommitBatch {
  const shards = [...loads.values()].map(({ shard, epoch, seats, floors, progress, sessionNext }) => ({
    shard,
    epoch,
    entities: [...seats.values()].map(toEntityChange),
    floors: floors === null ? [] : [...floors.values()],
    sessionNext: sessionNext === 0 ? null : sessionNext,
    progress: mergedProgress(progress),
  }));
  shards.sort((a, b) => compareShards(a.shard, b.shard));
  return { incarnation, shards };
}

function toEntityChange({ key, expectedVersion, version, stateVersion, state, records, work }: Seat): EntityChange {
  const rows = work === null ? null : work.toEntityWork();
  return { key, expectedVersion, version, stateVersion, state: state ?? null, records, work: rows };
}

/**
 * Two parts, or more, of which each can travel alone and in this order; none when it cannot be split. First by shard,
 * then the seats from what else was said, then by entity or author.
 */
export function split(loads: Loads): readonly Loads[] {
  const all = [...loads.values()];
  if (all.length > 1) return halves(all).map((half) => new Map(half.map((load) => [nameOf(load.shard), load])));
  return all.flatMap(splitLoad).map((part) => new Map([[nameOf(part.shard), part]]));
}

function splitLoad(load: Load): readonly Load[] {
  const { seats, progress } = load;
  if (seats.size > 0 && progress.length > 0) {
    return [
      { ...load, progress: [] },
      { ...load, seats: new Map() },
    ];
  }
  if (progress.length > 1) return halves(progress).map((half) => ({ ...load, progress: [...half] }));
  if (seats.size < 2) return [];
  return halves([...seats.values()]).map((half) => ({ ...load, seats: new Map(half.map((seat) => [seat.key, seat])) }));
}

function halves<T>(items: readonly T[]): readonly (readonly T[])[] {
  const middle = Math.ceil(items.length / 2);
  return [items.slice(0, middle), items.slice(middle)];
}
