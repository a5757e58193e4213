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
import { invariant, SynodError } from "../../errors.ts";
import type { CommitBatch, CommitResult, ShardId } from "../../ports/store.ts";
import { mark } from "../../values/marks.ts";
import {
  addChange,
  addProgress,
  type Change,
  type Load,
  type Loads,
  loadOf,
  nameOf,
  partsLength,
  progressOf,
  type Seat,
  ShardNames,
  seatsOf,
  sizeOf,
  split,
  toBatch,
} from "./load.ts";
import { loseThoseOf, loseWhatIsGone, strandedIn } from "./prerequisite.ts";
import { bytesOfProgress, overtakes, type Progress } from "./work.ts";

export type CommitsInput =
  | { kind: "change"; change: Change }
  | { kind: "progress"; progress: Progress }
  /** Time to send what has gathered, unless a commit is under way. */
  | { kind: "flush" }
  /**
   * The store answered the commit under way; `unknown`: it did not, or the answer was lost. `hurry`: if it has committed,
   * what has gathered is sent before anybody is told, and the store is at work while they go on.
   */
  | { kind: "answered"; result: CommitResult | { readonly status: "unknown" }; hurry?: boolean }
  /** The shard's entities are gone from memory: what they left and was not sent is void. */
  | { kind: "drop"; shard: ShardId };

export type CommitsEffect =
  /** Send this; one at a time. Answer with `answered`. */
  | { kind: "commit"; batch: CommitBatch }
  /** More is waiting and nothing is under way: say `flush` soon. */
  | { kind: "wake" }
  /** Durable: move the entity's durable pointer before any reply of this batch leaves. */
  | { kind: "durable"; shard: ShardId; key: string; position: number }
  /**
   * Certainly not written. `culprit`: this entity's data is refused; else the store cannot write now. `through` is 0 where it
   * is nobody's fault: something that was required did not take place, and whoever still may runs again.
   */
  | { kind: "rolledBack"; shard: ShardId; key: string; through: number; culprit: boolean; error: unknown }
  /** The shard belongs to somebody else: drop its entities, nothing of this happened. */
  | { kind: "fenced"; shard: ShardId }
  /** The store holds another version: this activation is stale; drop the entity, nothing happened. */
  | { kind: "stale"; shard: ShardId; key: string }
  /** May have been written: drop the shard, claim it with a new epoch, reload, only then serve. */
  | { kind: "unknown"; shard: ShardId; positions: ReadonlyMap<string, number> }
  /** What became of progress, once for each; `error` says why it was refused or failed. */
  | { kind: "progressed"; token: number; outcome: ProgressOutcome; error: unknown }
  /** The lease has ended: drop everything. */
  | { kind: "ended" }
  /** The store must not be used again: nothing is sent any more, and what was under way stays unknown. */
  | { kind: "broken"; error: unknown };

/**
 * `refused`: not written, and the store would not take it later. `failed`: not written, because the store cannot write
 * now. `dropped`: not written, because the shard was dropped before. `unknown`: it may be written, the shard was dropped.
 */
export type ProgressOutcome = "durable" | "refused" | "failed" | "dropped" | "unknown";

export interface CommitsOptions {
  readonly incarnation: number;
  readonly batchCommandsMax: number;
  readonly batchBytesMax: number;
}

const wake: readonly CommitsEffect[] = [{ kind: "wake" }];
const none: readonly CommitsEffect[] = [];

export class Commits {
  readonly #options: CommitsOptions;
  readonly #names = new ShardNames();
  /** Full or split loads that go first, in order: later changes of the same entities build on them. */
  #queue: Loads[] = [];
  /** The load that changes board now. */
  #boarding: Loads = new Map();
  #boardingLength = 0;
  #boardingBytes = 0;
  #underWay: Loads | null = null;
  /** Parts of the commit under way when it was sent: those of shards that were dropped since are no more in it. */
  #partsSent = 0;
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

  /** How much has gathered that is not under way: the number of changes and of what else was said. */
  get gathered(): number {
    return this.#queue.reduce((sum, loads) => sum + partsLength(loads), 0) + this.#boardingLength;
  }

  /** How much of that was sent with the commit under way. */
  get sent(): number {
    return this.#partsSent;
  }

  step(input: CommitsInput): readonly CommitsEffect[] {
    switch (input.kind) {
      case "change":
        return this.#board(input.change);
      case "progress":
        return this.#boardProgress(input.progress);
      case "flush":
        return this.#send();
      case "answered":
        return this.#answered(input.result, input.hurry ?? false);
      case "drop":
        return this.#drop(input.shard);
    }
  }

  #board(change: Change): readonly CommitsEffect[] {
    const { shard, key, work } = change;
    const name = this.#names.of(shard);
    if (work !== null && overtakes(key, work, this.#boarding.get(name)?.progress ?? [])) this.#departBoarding();
    this.#makeRoom(sizeOf(change));
    addChange(loadOf(this.#boarding, name, change), change);
    return this.#underWay === null ? wake : none;
  }

  #boardProgress(progress: Progress): readonly CommitsEffect[] {
    this.#makeRoom(bytesOfProgress(progress));
    addProgress(loadOf(this.#boarding, this.#names.of(progress.shard), progress), progress);
    return this.#underWay === null ? wake : none;
  }

  /** Counts what is about to board; what is full already departs before it. */
  #makeRoom(bytes: number): void {
    const { batchCommandsMax, batchBytesMax } = this.#options;
    const full = this.#boardingLength >= batchCommandsMax || this.#boardingBytes + bytes > batchBytesMax;
    if (full && this.#boardingLength > 0) {
      mark("batch full");
      this.#departBoarding();
    }
    this.#boardingLength += 1;
    this.#boardingBytes += bytes;
  }

  #departBoarding(): void {
    if (this.#boarding.size > 0) this.#queue.push(this.#boarding);
    this.#boarding = new Map();
    this.#boardingLength = 0;
    this.#boardingBytes = 0;
  }

  #send(): readonly CommitsEffect[] {
    if (this.#underWay !== null) return [];
    const ashore: CommitsEffect[] = [];
    for (;;) {
      if (this.#queue.length === 0) this.#departBoarding();
      const loads = this.#queue.shift();
      if (loads === undefined) return ashore;
      this.#putAshore(loads, ashore);
      if (loads.size === 0) continue;
      this.#underWay = loads;
      this.#partsSent = partsLength(loads);
      return [{ kind: "commit", batch: toBatch(this.#options.incarnation, loads) }, ...ashore];
    }
  }

  /** Nobody travels before those without whom they may not arrive. To lose one entity's changes may strand others. */
  #putAshore(loads: Loads, effects: CommitsEffect[]): void {
    for (;;) {
      const stranded = strandedIn(loads);
      if (stranded === undefined) return;
      mark("prerequisite lost");
      const { shard } = stranded.load;
      const { key } = stranded.seat;
      loseWhatIsGone(stranded.seat, [loads, ...this.#queue, this.#boarding]);
      this.#leaveOut(loads, shard, key);
      effects.push({ kind: "rolledBack", shard, key, through: 0, culprit: false, error: prerequisiteLost });
    }
  }

  #answered(result: CommitResult | { readonly status: "unknown" }, hurry: boolean): readonly CommitsEffect[] {
    const loads = this.#underWay;
    invariant(loads !== null, "an answer belongs to a commit under way");
    this.#underWay = null;
    const effects: CommitsEffect[] = [];
    switch (result.status) {
      case "committed":
        // Before anything is sent that may require it.
        for (const { fulfils } of progressOf(loads)) if (fulfils?.standing === "open") fulfils.standing = "durable";
        this.#arrived(loads, hurry ? this.#send() : [], effects);
        break;
      case "fenced":
        mark("commit fenced");
        this.#withdraw(loads, result.shards, [], effects);
        break;
      case "conflict":
        mark("commit conflict");
        this.#withdraw(loads, [], result.entities, effects);
        break;
      case "refused":
        if (loads.size > 0) this.#refused(loads, result.error, effects);
        break;
      case "failed":
        mark("commit failed");
        for (const { load, seat } of seatsOf(loads)) this.#rollBack(load, seat, false, result.error, effects);
        report(progressOf(loads), "failed", effects, result.error);
        break;
      case "unknown":
        mark("commit unknown");
        for (const load of loads.values()) {
          const positions = new Map([...load.seats.values()].map((seat) => [seat.key, seat.position]));
          report(load.progress, "unknown", effects);
          effects.push({ kind: "unknown", shard: load.shard, positions });
        }
        break;
      case "ended":
        mark("commit of an ended lease");
        report(progressOf(loads), "dropped", effects);
        effects.push({ kind: "ended" });
        break;
      case "broken":
        // Whoever drops a shard from now on still learns what was under way.
        this.#underWay = loads;
        this.#broken = true;
        return [{ kind: "broken", error: result.error }];
    }
    const waits = this.#queue.length > 0 || this.#boarding.size > 0;
    if (waits && this.#underWay === null) effects.push({ kind: "wake" });
    return effects;
  }

  /** `sent`: what left early. Who was put ashore by it hears of that last: they may have arrived with their earlier changes. */
  #arrived(loads: Loads, sent: readonly CommitsEffect[], effects: CommitsEffect[]): void {
    effects.push(...sent.filter(({ kind }) => kind === "commit"));
    for (const { load, seat } of seatsOf(loads)) {
      effects.push({ kind: "durable", shard: load.shard, key: seat.key, position: seat.position });
    }
    report(progressOf(loads), "durable", effects);
    effects.push(...sent.filter(({ kind }) => kind !== "commit"));
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
      const load = loads.get(nameOf(shard));
      if (load === undefined) continue;
      loads.delete(nameOf(shard));
      report(load.progress, "dropped", effects);
      effects.push({ kind: "fenced", shard });
    }
    for (const { shard, key } of entities) {
      if (loads.get(nameOf(shard))?.seats.has(key) !== true) continue;
      this.#leaveOut(loads, shard, key);
      effects.push({ kind: "stale", shard, key });
    }
    if (loads.size > 0) this.#queue.unshift(loads);
  }

  /** Split until what is refused stands alone: an entity, which is the culprit, or what one author said. */
  #refused(loads: Loads, error: unknown, effects: CommitsEffect[]): void {
    // What was refused may have been dropped meanwhile: the rest is not to blame before it travelled alone.
    if (partsLength(loads) < this.#partsSent) return void this.#queue.unshift(loads);
    const parts = split(loads);
    if (parts.length > 0) return void this.#queue.unshift(...parts);
    for (const { load, seat } of seatsOf(loads)) this.#rollBack(load, seat, true, error, effects);
    report(progressOf(loads), "refused", effects, error);
  }

  #rollBack(load: Load, seat: Seat, culprit: boolean, error: unknown, effects: CommitsEffect[]): void {
    this.#forget(load.shard, seat.key);
    const { shard } = load;
    effects.push({ kind: "rolledBack", shard, key: seat.key, through: seat.position, culprit, error });
  }

  /** What the entity left after a lost change was built on sand: it runs again. */
  #forget(shard: ShardId, key: string): void {
    for (const loads of [...this.#queue, this.#boarding]) takeOut(loads, shard, key);
    this.#queue = this.#queue.filter((loads) => loads.size > 0);
  }

  /** These loads travel without the entity, and later ones too. */
  #leaveOut(loads: Loads, shard: ShardId, key: string): void {
    takeOut(loads, shard, key);
    this.#forget(shard, key);
  }

  #drop(shard: ShardId): readonly CommitsEffect[] {
    const name = nameOf(shard);
    const effects: CommitsEffect[] = [];
    for (const loads of [...this.#queue, this.#boarding]) report(loads.get(name)?.progress ?? [], "dropped", effects);
    report(this.#underWay?.get(name)?.progress ?? [], "unknown", effects);
    // The answer to the commit under way will not concern this shard's next activation either.
    for (const loads of [...this.#queue, this.#boarding, this.#underWay]) loads?.delete(name);
    this.#queue = this.#queue.filter((loads) => loads.size > 0);
    return effects;
  }
}

const prerequisiteLost = new SynodError("unavailable", "what this change was to follow did not take place");

function takeOut(loads: Loads, shard: ShardId, key: string): void {
  const name = nameOf(shard);
  const load = loads.get(name);
  if (load === undefined) return;
  loseThoseOf(key, load);
  if (load.seats.delete(key) && isEmpty(load)) loads.delete(name);
}

function isEmpty({ seats, progress }: Load): boolean {
  return seats.size === 0 && progress.length === 0;
}

function report(
  all: Iterable<Progress>,
  outcome: ProgressOutcome,
  effects: CommitsEffect[],
  error: unknown = undefined,
): void {
  for (const { token } of all) effects.push({ kind: "progressed", token, outcome, error });
}
