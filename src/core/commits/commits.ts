/**
 * The committer: it gathers the finished changes of all of a node's entities into one store commit at a time.
 *
 * Think of a ferry. Changes board while the ferry is away; several changes of one entity share a seat, since
 * only the last state matters and the store checks the version on which the first of them was built. When the
 * ferry comes back it says who has arrived. If the far shore refuses a load for what is in it, the load is
 * split until the one bad entity travels alone; if the ferry is lost, nobody knows who arrived, and every
 * shard aboard starts again from what the far shore holds.
 *
 * It never talks to a store and never decides what to do with a call: it returns effects.
 */
import { invariant } from "../../errors.ts";
import {
  type CallRecord,
  type CommitBatch,
  type CommitResult,
  compareShards,
  type EntityChange,
  type SessionFloor,
  type ShardChanges,
  type ShardId,
} from "../../ports/store.ts";

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
  /** Floors of sessions that rose in the shard since its last change. */
  readonly floors: readonly SessionFloor[];
}

export type CommitsInput =
  | { kind: "change"; change: Change }
  /** Time to send what has gathered, unless a commit is under way. */
  | { kind: "flush" }
  /** The store answered the commit under way; `unknown`: it did not, or the answer was lost. */
  | { kind: "answered"; result: CommitResult | { readonly status: "unknown" } }
  /** The shard's entities are gone from memory: what they left and was not sent is void. */
  | { kind: "drop"; shard: ShardId };

export type CommitsEffect =
  /** Send this; one at a time. Answer with `answered`. */
  | { kind: "commit"; batch: CommitBatch }
  /** More is waiting and nothing is under way: say `flush` soon. */
  | { kind: "wake" }
  /** Durable: move the entity's durable pointer before any reply of this batch leaves. */
  | { kind: "durable"; shard: ShardId; key: string; position: number }
  /** Certainly not written. `culprit`: this entity's data is refused; else the store cannot write now. */
  | { kind: "rolledBack"; shard: ShardId; key: string; through: number; culprit: boolean; error: unknown }
  /** The shard belongs to somebody else: drop its entities, nothing of this happened. */
  | { kind: "fenced"; shard: ShardId }
  /** The store holds another version: this activation is stale; drop the entity, nothing happened. */
  | { kind: "stale"; shard: ShardId; key: string }
  /** May have been written: drop the shard, claim it with a new epoch, reload, only then serve. */
  | { kind: "unknown"; shard: ShardId; positions: ReadonlyMap<string, number> }
  /** The lease has ended: drop everything. */
  | { kind: "ended" }
  /** The store must not be used again: nothing is sent any more, and what was under way stays unknown. */
  | { kind: "broken"; error: unknown };

interface Seat {
  readonly key: string;
  readonly expectedVersion: number;
  version: number;
  stateVersion: number;
  state: string | null | undefined;
  readonly records: CallRecord[];
  position: number;
}

interface Load {
  readonly shard: ShardId;
  readonly epoch: number;
  readonly seats: Map<string, Seat>;
  /** The newest floor of each session. */
  readonly floors: Map<string, SessionFloor>;
}

type Loads = Map<string, Load>;

export interface CommitsOptions {
  readonly incarnation: number;
  readonly batchCommandsMax: number;
  readonly batchBytesMax: number;
}

export class Commits {
  readonly #options: CommitsOptions;
  /** Full or split loads that go first, in order: later changes of the same entities build on them. */
  #queue: Loads[] = [];
  /** The load that changes board now. */
  #boarding: Loads = new Map();
  #boardingCommands = 0;
  #boardingBytes = 0;
  #underWay: Loads | null = null;
  /** Seats in the commit under way when it was sent: those of shards that were dropped since are no more in it. */
  #seatsSent = 0;
  #broken = false;

  constructor(options: CommitsOptions) {
    this.#options = options;
  }

  /**
   * The last position of the entity that is in the commit under way; 0 when there is none. Whoever drops a
   * shard asks first: the outcome of these positions is unknown.
   */
  positionUnderWay(shard: ShardId, key: string): number {
    return this.#underWay?.get(nameOf(shard))?.seats.get(key)?.position ?? 0;
  }

  /** Nothing boards, waits or is under way, or nothing can be sent any more. */
  get idle(): boolean {
    if (this.#broken) return true;
    return this.#underWay === null && this.#queue.length === 0 && this.#boarding.size === 0;
  }

  step(input: CommitsInput): readonly CommitsEffect[] {
    switch (input.kind) {
      case "change":
        return this.#board(input.change);
      case "flush":
        return this.#send();
      case "answered":
        return this.#answered(input.result);
      case "drop":
        return this.#drop(input.shard);
    }
  }

  #board(change: Change): readonly CommitsEffect[] {
    const bytes = sizeOf(change);
    const { batchCommandsMax, batchBytesMax } = this.#options;
    const full = this.#boardingCommands >= batchCommandsMax || this.#boardingBytes + bytes > batchBytesMax;
    if (full && this.#boardingCommands > 0) this.#departBoarding();
    const name = nameOf(change.shard);
    let load = this.#boarding.get(name);
    if (load === undefined) {
      load = { shard: change.shard, epoch: change.epoch, seats: new Map(), floors: new Map() };
      this.#boarding.set(name, load);
    }
    invariant(load.epoch === change.epoch, "a dropped shard leaves nothing behind in the committer");
    for (const floor of change.floors) load.floors.set(floor.session, floor);
    this.#seat(load, change);
    this.#boardingCommands += 1;
    this.#boardingBytes += bytes;
    return this.#underWay === null ? [{ kind: "wake" }] : [];
  }

  #seat(load: Load, change: Change): void {
    const seat = load.seats.get(change.key);
    const records = change.record === null ? [] : [change.record];
    if (seat === undefined) {
      load.seats.set(change.key, {
        key: change.key,
        expectedVersion: change.expectedVersion,
        version: change.version,
        stateVersion: change.stateVersion,
        state: change.state,
        records,
        position: change.position,
      });
      return;
    }
    invariant(seat.version === change.expectedVersion, "changes of one entity build on each other");
    seat.version = change.version;
    seat.stateVersion = change.stateVersion;
    if (change.state !== undefined) seat.state = change.state;
    seat.records.push(...records);
    seat.position = change.position;
  }

  #departBoarding(): void {
    if (this.#boarding.size > 0) this.#queue.push(this.#boarding);
    this.#boarding = new Map();
    this.#boardingCommands = 0;
    this.#boardingBytes = 0;
  }

  #send(): readonly CommitsEffect[] {
    if (this.#underWay !== null) return [];
    if (this.#queue.length === 0) this.#departBoarding();
    const loads = this.#queue.shift();
    if (loads === undefined) return [];
    this.#underWay = loads;
    this.#seatsSent = [...seatsOf(loads)].length;
    return [{ kind: "commit", batch: toBatch(this.#options.incarnation, loads) }];
  }

  #answered(result: CommitResult | { readonly status: "unknown" }): readonly CommitsEffect[] {
    const loads = this.#underWay;
    invariant(loads !== null, "an answer belongs to a commit under way");
    this.#underWay = null;
    const effects: CommitsEffect[] = [];
    switch (result.status) {
      case "committed":
        for (const { load, seat } of seatsOf(loads)) {
          effects.push({ kind: "durable", shard: load.shard, key: seat.key, position: seat.position });
        }
        break;
      case "fenced":
        this.#withdraw(loads, result.shards, [], effects);
        break;
      case "conflict":
        this.#withdraw(loads, [], result.entities, effects);
        break;
      case "refused":
        if (loads.size > 0) this.#refused(loads, result.error, effects);
        break;
      case "failed":
        for (const { load, seat } of seatsOf(loads)) this.#rollBack(load, seat, false, result.error, effects);
        break;
      case "unknown":
        for (const load of loads.values()) {
          const positions = new Map([...load.seats.values()].map((seat) => [seat.key, seat.position]));
          effects.push({ kind: "unknown", shard: load.shard, positions });
        }
        break;
      case "ended":
        effects.push({ kind: "ended" });
        break;
      case "broken":
        // Whoever drops a shard from now on still learns what was under way.
        this.#underWay = loads;
        this.#broken = true;
        return [{ kind: "broken", error: result.error }];
    }
    if (this.#queue.length > 0 || this.#boarding.size > 0) effects.push({ kind: "wake" });
    return effects;
  }

  /**
   * Nothing was written because of these: they leave, the others travel again at once. What the answer says of a
   * shard that was dropped meanwhile concerns nobody, least of all the shard's next activation.
   */
  #withdraw(
    loads: Loads,
    shards: readonly ShardId[],
    entities: readonly { readonly shard: ShardId; readonly key: string }[],
    effects: CommitsEffect[],
  ): void {
    for (const shard of shards) {
      if (loads.delete(nameOf(shard))) effects.push({ kind: "fenced", shard });
    }
    for (const { shard, key } of entities) {
      const load = loads.get(nameOf(shard));
      if (load?.seats.delete(key) !== true) continue;
      if (load.seats.size === 0) loads.delete(nameOf(shard));
      this.#forget(shard, key);
      effects.push({ kind: "stale", shard, key });
    }
    if (loads.size > 0) this.#queue.unshift(loads);
  }

  /** Split by shard, then by entity; a refused entity that stands alone is the culprit. */
  #refused(loads: Loads, error: unknown, effects: CommitsEffect[]): void {
    const all = [...loads.values()];
    const only = all[0];
    invariant(only !== undefined, "no load travels empty");
    // What was refused may have been dropped meanwhile: the rest is not to blame before it travelled alone.
    if ([...seatsOf(loads)].length < this.#seatsSent) return void this.#queue.unshift(loads);
    if (all.length > 1) {
      this.#queue.unshift(...halves(all).map((half) => new Map(half.map((load) => [nameOf(load.shard), load]))));
    } else if (only.seats.size > 1) {
      const parts = halves([...only.seats.values()]).map((half) => ({
        ...only,
        seats: new Map(half.map((seat) => [seat.key, seat])),
      }));
      this.#queue.unshift(...parts.map((part) => new Map([[nameOf(part.shard), part]])));
    } else {
      for (const seat of only.seats.values()) this.#rollBack(only, seat, true, error, effects);
    }
  }

  #rollBack(load: Load, seat: Seat, culprit: boolean, error: unknown, effects: CommitsEffect[]): void {
    this.#forget(load.shard, seat.key);
    const { shard } = load;
    effects.push({ kind: "rolledBack", shard, key: seat.key, through: seat.position, culprit, error });
  }

  /** What the entity left after a lost change was built on sand: it runs again. */
  #forget(shard: ShardId, key: string): void {
    const name = nameOf(shard);
    for (const loads of [...this.#queue, this.#boarding]) {
      const load = loads.get(name);
      load?.seats.delete(key);
      if (load?.seats.size === 0) loads.delete(name);
    }
    this.#queue = this.#queue.filter((loads) => loads.size > 0);
  }

  #drop(shard: ShardId): readonly CommitsEffect[] {
    const name = nameOf(shard);
    // The answer to the commit under way will not concern this shard's next activation either.
    for (const loads of [...this.#queue, this.#boarding, this.#underWay]) loads?.delete(name);
    this.#queue = this.#queue.filter((loads) => loads.size > 0);
    return [];
  }
}

function toBatch(incarnation: number, loads: Loads): CommitBatch {
  const shards: ShardChanges[] = [];
  for (const { shard, epoch, seats, floors } of loads.values()) {
    shards.push({ shard, epoch, entities: [...seats.values()].map(toEntityChange), floors: [...floors.values()] });
  }
  shards.sort((a, b) => compareShards(a.shard, b.shard));
  return { incarnation, shards };
}

function toEntityChange(seat: Seat): EntityChange {
  const { key, expectedVersion, version, stateVersion, records } = seat;
  return { key, expectedVersion, version, stateVersion, state: seat.state ?? null, records };
}

function* seatsOf(loads: Loads): Iterable<{ load: Load; seat: Seat }> {
  for (const load of loads.values()) for (const seat of load.seats.values()) yield { load, seat };
}

function halves<T>(items: readonly T[]): readonly (readonly T[])[] {
  const middle = Math.ceil(items.length / 2);
  return [items.slice(0, middle), items.slice(middle)];
}

function nameOf(shard: ShardId): string {
  return `${shard.service}/${shard.number}`;
}

function sizeOf(change: Change): number {
  return change.key.length + (change.state?.length ?? 0) + (change.record?.reply.length ?? 0);
}
