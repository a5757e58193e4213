/** One shard at this node: whether the node owns it, at which epoch, and the entities of it in memory. */

import { HighestNumbers } from "../core/sessions/highest.ts";
import { SessionFloors } from "../core/sessions/receiver.ts";
import { ShardSession } from "../core/sessions/shard-session.ts";
import { invariant, SynodError } from "../errors.ts";
import type { CallRecord, ClaimedShard, SessionFloor, ShardId } from "../ports/store.ts";
import type { AnyService } from "../service/model.ts";
import { sessionCallOf } from "../values/ids.ts";
import { mark } from "../values/marks.ts";
import type { Activation } from "./activation.ts";
import type { CommandId } from "./invocation.ts";
import type { NodeLimits } from "./limits.ts";
import type { ShardMessages } from "./messages/shard-messages.ts";
import { incarnationOf, shardSessionName } from "./session-names.ts";

/** Sessions beyond which the records that are waited for before floors are written grow with the number of floors. */
const sessionsPerFloorsMin = 4;

export type ShardBounds = Pick<NodeLimits, "shardOpenLengthMax" | "recordsPerFloorMax">;

export class Shard {
  readonly id: ShardId;
  /** What the shard's own session is called, whoever owns the shard. */
  readonly sessionName: string;
  readonly service: AnyService;
  readonly activations: Map<string, Activation> = new Map();
  #epoch: number | null = null;
  readonly #bounds: ShardBounds;
  /** What its entities send and the timers that they set; null before the shard was first claimed. */
  messages: ShardMessages | null = null;
  #session: ShardSession | null = null;
  /** Whether its service has durable commands. */
  readonly takesItems: boolean;
  /** Items were found in the inbox of a service that has no durable commands any more. */
  hasLeftItems = false;
  /** Timed keys at or below this instant are forgotten: refused, never executed. */
  #watermark = 0;
  #trimming: { readonly cap: number; readonly done: Promise<void> } | null = null;
  #versionMax = 0;
  /** Which calls of which sessions are settled, and which of these floors the store does not have yet. */
  readonly #floors = new SessionFloors();
  readonly #risen = new Set<string>();
  /** Those of them whose floor goes with the next change. */
  readonly #urgent = new Set<string>();
  #recordsSinceFloors = 0;
  /** Sessions of which the store has a floor, or is about to. */
  readonly #stored = new Set<string>();
  /** Of each session, the highest number of which a record may be in the store. */
  readonly highest: HighestNumbers = new HighestNumbers();
  /** Sessions whose caller is gone: what comes of them late is refused, though nothing of them is known any more. */
  readonly #ended = new Set<string>();
  /** The incarnation that this shard is being handed to; nothing is admitted any more. */
  #nextOwner: number | null = null;
  #calls = 0;
  #whenQuiet: (() => void)[] = [];

  constructor(id: ShardId, service: AnyService, bounds: ShardBounds) {
    this.id = id;
    this.sessionName = shardSessionName(id);
    this.#bounds = bounds;
    this.service = service;
    this.takesItems = Object.values(service.interface.operations).some(({ durable }) => durable);
  }

  get owned(): boolean {
    return this.#epoch !== null;
  }

  get epoch(): number {
    invariant(this.#epoch !== null, "only an owned shard has an epoch");
    return this.#epoch;
  }

  /** The shard's own session, as this owner knows it. */
  get session(): ShardSession {
    invariant(this.#session !== null, "only an owned shard has a session");
    return this.#session;
  }

  get watermark(): number {
    return this.#watermark;
  }

  /** The name under which a record of this shard is kept in memory. */
  nameOfRecord(id: string): string {
    return `${this.id.service}/${this.id.number}/${id}`;
  }

  /** Whether the node owns the shard and takes calls for it. */
  get admits(): boolean {
    return this.#epoch !== null && this.#nextOwner === null;
  }

  /** Where calls should go while the shard is being handed over. */
  get nextOwner(): number | null {
    return this.#nextOwner;
  }

  /** The sessions of which the shard remembers something. */
  get sessions(): readonly string[] {
    return this.#floors.sessions;
  }

  /** Stops admitting: the shard is about to be released for that incarnation. */
  leaveTo(nextOwner: number): void {
    if (this.#epoch === null) return;
    this.#nextOwner = nextOwner;
    this.messages?.stop();
  }

  /** A call was admitted. */
  callBegan(): void {
    this.#calls += 1;
  }

  /** An admitted call was answered. */
  callEnded(): void {
    this.#calls -= 1;
    if (this.#calls === 0) for (const wake of this.#whenQuiet.splice(0)) wake();
  }

  /** Resolves when every admitted call is answered, and so everything they left is durable. */
  whenQuiet(): Promise<void> {
    if (this.#calls === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenQuiet.push(resolve));
  }

  /** Takes the promise over that came with a call; says whether the call itself may still be executed. */
  mayExecute({ call, floor }: CommandId): boolean {
    if (call === undefined) return true;
    if (this.#ended.has(call.session)) {
      mark("session ended");
      return false;
    }
    if (floor !== undefined && floor.floor > 0) {
      if (this.#floors.raise(call.session, floor) !== null) this.#hasRisen(call.session);
    }
    const settled = this.isSettled(call);
    if (settled) mark("called below its floor");
    return !settled;
  }

  /**
   * The record of a durable command is on its way into the store: also of one that came to an earlier owner. One that goes
   * with time, because its number is settled, travels with the floor that says so. Were that written later, an owner
   * in between would know neither the number once the record is gone, and execute what comes of it then.
   */
  noteRecord({ id, finishedAt }: CallRecord): void {
    const call = sessionCallOf(id);
    if (call === undefined) return;
    if (finishedAt === null) return this.highest.recorded(call.session, call.number);
    if (this.#floors.of(call.session) === undefined || this.#ended.has(call.session)) return;
    this.#risen.add(call.session);
    this.#urgent.add(call.session);
  }

  /** A session that may end, and that the store knows no floor of, is written at once: by it is known that it has ended. */
  #hasRisen(session: string): void {
    this.#risen.add(session);
    if (!this.#stored.has(session) && incarnationOf(session) !== null) this.#urgent.add(session);
  }

  /** Whether its caller has promised never to repeat this call, or is gone. */
  isSettled({ session, number }: { readonly session: string; readonly number: number }): boolean {
    return this.#ended.has(session) || this.#floors.isSettled(session, number);
  }

  /**
   * The floors that the next change makes durable: those that are urgent, and the others when as many calls of sessions have
   * been recorded as the bound says, and more where there are many floors to write. A floor for every record or two would
   * cost its shard more than all the rest of a small command.
   */
  floorsWith(record: CallRecord | null): readonly SessionFloor[] {
    if (record !== null && record.finishedAt === null) this.#recordsSinceFloors += 1;
    const many = Math.max(1, this.#risen.size / sessionsPerFloorsMin);
    const due = this.#risen.size > 0 && this.#recordsSinceFloors >= this.#bounds.recordsPerFloorMax * many;
    if (due) this.#recordsSinceFloors = 0;
    const floors: SessionFloor[] = [];
    for (const session of due ? this.#risen : this.#urgent) {
      floors.push({ session, ...this.#floors.of(session)! });
      this.#stored.add(session);
      this.#risen.delete(session);
      this.#urgent.delete(session);
    }
    return floors;
  }

  /** A change was not written, nor the floors that went with it. Nobody has kept which: all are written again. */
  floorsLost(): void {
    for (const session of this.#floors.sessions) {
      if (this.#ended.has(session)) continue;
      this.#stored.delete(session);
      this.#hasRisen(session);
    }
  }

  /** These sessions are about to be forgotten by the store: from now on their calls are refused. */
  endSessions(sessions: readonly string[]): void {
    for (const session of sessions) {
      this.#ended.add(session);
      this.#risen.delete(session);
      this.#urgent.delete(session);
    }
  }

  forgetSessions(sessions: readonly string[]): void {
    for (const session of sessions) {
      this.#floors.forget(session);
      this.#risen.delete(session);
      this.#urgent.delete(session);
      this.#stored.delete(session);
      this.highest.forget(session);
    }
  }

  own({ epoch, watermark, floors, sessionNext }: ClaimedShard): void {
    invariant(this.activations.size === 0, "a shard is claimed with nothing of an earlier epoch in memory");
    this.#epoch = epoch;
    this.#session = new ShardSession({ next: sessionNext, openLengthMax: this.#bounds.shardOpenLengthMax });
    this.#watermark = watermark;
    this.#trimming = null;
    this.#versionMax = 0;
    this.#nextOwner = null;
    this.#floors.clear();
    this.#risen.clear();
    this.#urgent.clear();
    this.#stored.clear();
    this.highest.clear();
    this.#ended.clear();
    for (const { session, ...floor } of floors) {
      this.#floors.raise(session, floor);
      this.#stored.add(session);
    }
  }

  /** Gives the shard up: every entity in memory is dropped. Positions that `unknown` names may be durable. */
  disown(reason: SynodError, unknown: (key: string) => number): void {
    this.#epoch = null;
    this.#nextOwner = null;
    this.messages?.stop();
    for (const activation of [...this.activations.values()]) {
      activation.drop(reason, unknown(activation.key));
    }
    invariant(this.activations.size === 0, "a dropped shard has nothing in memory");
  }

  forget(activation: Activation): void {
    if (this.activations.get(activation.key) === activation) {
      this.activations.delete(activation.key);
    }
  }

  /**
   * A version never stands for two states of one key at one epoch, even when a row went away between: a
   * row that is created gets a version above all that this node has seen in the shard.
   */
  nextVersion(current: number): number {
    const next = (current === 0 ? this.#versionMax : current) + 1;
    this.noteVersion(next);
    return next;
  }

  noteVersion(version: number): void {
    if (version > this.#versionMax) this.#versionMax = version;
  }

  /**
   * Whether the record of this id may have been removed, so that it must not be executed. While a trim that
   * could remove it is under way nobody knows, so the answer waits for it.
   */
  async forgot({ keyTime, call }: CommandId): Promise<boolean> {
    if (call !== undefined) return this.isSettled(call);
    if (keyTime === null) return false;
    while (this.#trimming !== null && keyTime <= this.#trimming.cap) {
      mark("waits for a trim");
      await this.#trimming.done;
    }
    if (!this.owned) throw new SynodError("unavailable", "the shard was given up");
    return keyTime <= this.#watermark;
  }

  /** Runs a trim whose watermark may rise to `cap`; it returns the watermark that the store now has. */
  async trim(cap: number, run: () => Promise<number>): Promise<void> {
    invariant(this.#trimming === null, "a shard is trimmed once at a time");
    const epoch = this.#epoch;
    const work = run().then((watermark) => {
      if (this.#epoch === epoch && watermark > this.#watermark) this.#watermark = watermark;
    });
    const own = { cap, done: work.catch(() => {}) };
    this.#trimming = own;
    try {
      await work;
    } finally {
      if (this.#trimming === own) this.#trimming = null;
    }
  }
}
