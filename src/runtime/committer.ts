/**
 * Drives the committer core: one store commit under way per lane, carrying the finished changes of all of the
 * lane's shards. Changes of one turn of the event loop travel together; the rest gathers while a commit is
 * under way.
 *
 * A store that can work on several commits at once has as many lanes as it says, any other one. A shard is always in the
 * same lane: what its commits build on each other stays in order, and commits of two lanes have nothing in common that
 * either could wait for or overtake (decision 0012).
 */
import { Commits, type CommitsEffect, type CommitsInput, type ProgressOutcome } from "../core/commits/commits.ts";
import type { Change } from "../core/commits/load.ts";
import { Pace } from "../core/commits/pace.ts";
import type { Progress } from "../core/commits/work.ts";
import { SynodError, toSynodError } from "../errors.ts";
import type { Timer } from "../ports/clock.ts";
import type { CommitBatch, CommitResult, ShardId } from "../ports/store.ts";
import type { Environment } from "./environment.ts";
import type { Shard } from "./shard.ts";

/** What the committer tells the node. */
export interface CommitterEvents {
  shard(id: ShardId): Shard;
  /** The shard must be claimed again (with a new epoch) before it serves, or belongs to somebody else. */
  lostShard(): void;
  /** The lease has ended. */
  ended(): void;
  /** The store must not be used any more. */
  broken(error: SynodError): void;
}

/** What became of progress: see {@link ProgressOutcome}; `error` says why the store did not take it. */
export interface ProgressReport {
  readonly outcome: ProgressOutcome;
  readonly error: SynodError | null;
}

/** What the commits of some of the shards go through, one under way at a time. */
interface CommitLane {
  readonly commits: Commits;
  readonly pace: Pace;
}

/** How long what is in no hurry waits for a commit that leaves anyway, ms. */
const leisureMs = 25;

export class Committer {
  readonly #environment: Environment;
  readonly #events: CommitterEvents;
  readonly #lanes: readonly CommitLane[];
  #flushing = false;
  #closed = false;
  #waiters: (() => void)[] = [];
  /** Who is told what became of progress, by its token. */
  readonly #authors = new Map<number, (report: ProgressReport) => void>();
  #lastToken = 0;
  /** Authors who have something to add to the next commit. */
  #leisurely: (() => void)[] = [];
  #leisureTimer: Timer | null = null;

  /** One committer per incarnation. */
  constructor(environment: Environment, incarnation: number, events: CommitterEvents) {
    this.#environment = environment;
    this.#events = events;
    const { batchCommandsMax, batchBytesMax } = environment.limits;
    const length = environment.store.commitLanes ?? 1;
    this.#lanes = Array.from({ length }, () => ({
      commits: new Commits({ incarnation, batchCommandsMax, batchBytesMax }),
      pace: new Pace(length),
    }));
  }

  add(change: Change): void {
    if (!this.#closed) this.#step(change.shard, { kind: "change", change });
  }

  /** Which of so many lanes a shard's changes take, always. */
  laneOf({ number }: ShardId, lanes: number): number {
    return number % lanes;
  }

  /** Whether what is said of one travels with what was said before of the other, or after it. */
  haveOneLane(one: ShardId, other: ShardId): boolean {
    return this.#lane(one) === this.#lane(other);
  }

  #lane(shard: ShardId): CommitLane {
    return this.#lanes[this.laneOf(shard, this.#lanes.length)]!;
  }

  #step(shard: ShardId, input: CommitsInput): void {
    const lane = this.#lane(shard);
    this.#perform(lane, lane.commits.step(input));
  }

  get #idle(): boolean {
    return this.#lanes.every(({ commits }) => commits.idle);
  }

  /** Commits what happened to pending work without a change of an entity, together with whatever else travels. */
  progress(progress: Omit<Progress, "token">): Promise<ProgressReport> {
    if (this.#closed) return Promise.resolve({ outcome: "dropped", error: null });
    const token = ++this.#lastToken;
    return new Promise((resolve) => {
      this.#authors.set(token, resolve);
      this.#step(progress.shard, { kind: "progress", progress: { ...progress, token } });
    });
  }

  /** Calls `author` when the next commit is about to leave, or when none did for a while: to add what is in no hurry. */
  atLeisure(author: () => void): void {
    this.#leisurely.push(author);
    if (this.#closed) return;
    this.#leisureTimer ??= this.#environment.clock.setTimer(leisureMs, () => this.#callLeisurely());
  }

  #callLeisurely(): void {
    this.#leisureTimer?.cancel();
    this.#leisureTimer = null;
    for (const author of this.#leisurely.splice(0)) author();
  }

  /** Drops the shard's entities; what was sent and not answered may still be written. */
  disown(shard: Shard, reason: SynodError): void {
    shard.disown(reason, (key) => this.#lane(shard.id).commits.positionUnderWay(shard.id, key));
    this.#step(shard.id, { kind: "drop", shard: shard.id });
  }

  /** Resolves when nothing waits to be committed. */
  whenIdle(): Promise<void> {
    if (this.#closed || this.#idle) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Sends nothing any more, and ignores what is still answered. */
  close(): void {
    this.#closed = true;
    this.#leisureTimer?.cancel();
    for (const waiter of this.#waiters.splice(0)) waiter();
    for (const token of [...this.#authors.keys()]) this.#report(token, "unknown", undefined);
  }

  #report(token: number, outcome: ProgressOutcome, error: unknown): void {
    const author = this.#authors.get(token);
    this.#authors.delete(token);
    author?.({ outcome, error: error === undefined ? null : toSynodError(error, "not-happened") });
  }

  #perform(lane: CommitLane, effects: readonly CommitsEffect[]): void {
    for (const effect of effects) {
      if (this.#closed) return;
      this.#performOne(lane, effect);
    }
    if (this.#waiters.length > 0 && this.#idle) for (const waiter of this.#waiters.splice(0)) waiter();
  }

  #performOne(lane: CommitLane, effect: CommitsEffect): void {
    switch (effect.kind) {
      case "wake":
        return this.#wake();
      case "commit":
        return void this.#commit(lane, effect.batch);
      case "durable":
        return this.#activation(effect.shard, effect.key)?.becameDurable(effect.position);
      case "rolledBack": {
        const error = this.#rollbackError(toSynodError(effect.error, "not-happened"), effect.culprit);
        this.#events.shard(effect.shard).floorsLost();
        return this.#activation(effect.shard, effect.key)?.rolledBack(effect.through, effect.culprit, error);
      }
      case "stale": {
        const reason = new SynodError("unavailable", "this activation was not the current one any more");
        this.#events.shard(effect.shard).floorsLost();
        return this.#activation(effect.shard, effect.key)?.drop(reason, 0);
      }
      case "fenced":
        return this.#lose(effect.shard, "the shard has another owner", () => 0);
      case "unknown": {
        const unknown = (key: string): number => effect.positions.get(key) ?? 0;
        return this.#lose(effect.shard, "the store did not say whether a commit took effect", unknown);
      }
      case "progressed":
        return this.#report(effect.token, effect.outcome, effect.error);
      case "ended":
        return this.#events.ended();
      case "broken":
        return this.#events.broken(toSynodError(effect.error));
    }
  }

  #activation(id: ShardId, key: string): ReturnType<Shard["activations"]["get"]> {
    return this.#events.shard(id).activations.get(key);
  }

  #lose(id: ShardId, why: string, unknown: (key: string) => number): void {
    const shard = this.#events.shard(id);
    this.#environment.log.warn(`shard ${id.service}/${id.number} is dropped: ${why}`);
    shard.disown(new SynodError("unavailable", why, { retryAfterMs: 100 }), unknown);
    this.#step(id, { kind: "drop", shard: id });
    this.#events.lostShard();
  }

  #wake(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    this.#environment.clock.soon(() => {
      this.#callLeisurely();
      this.#flushing = false;
      for (const lane of this.#lanes) {
        if (!this.#closed) this.#perform(lane, lane.commits.step({ kind: "flush" }));
      }
    });
  }

  async #commit(lane: CommitLane, batch: CommitBatch): Promise<void> {
    const { clock, store, lease, counters, log } = this.#environment;
    const sentAt = lease.now();
    const leftAt = clock.monotonic();
    counters.commits += 1;
    let result: CommitResult | { readonly status: "unknown" };
    try {
      result = await store.commit(batch);
    } catch (error) {
      log.warn("a commit has an unknown outcome: its shards are claimed again", { error });
      result = { status: "unknown" };
    }
    if (this.#closed) return;
    if (result.status === "committed" && result.renewed) lease.renewed(sentAt);
    const hurry = result.status === "committed" && this.#hurries(lane, clock.monotonic() - leftAt);
    this.#perform(lane, lane.commits.step({ kind: "answered", result, hurry }));
  }

  /** Whether what has gathered leaves before those are told whose commit took so long. */
  #hurries({ commits, pace }: CommitLane, storeMs: number): boolean {
    const { clock } = this.#environment;
    if (!pace.measures(commits.sent)) return false;
    const answeredAt = clock.monotonic();
    pace.committed(storeMs);
    clock.soon(() => pace.turned(clock.monotonic() - answeredAt));
    if (!pace.hurries(commits.gathered, commits.sent)) return false;
    this.#callLeisurely();
    return true;
  }

  /** In the caller's words: a refusal is about this data, a failure is about the store. */
  #rollbackError(error: SynodError, culprit: boolean): SynodError {
    if (culprit) return new SynodError("internal", `the store does not take this change: ${error.message}`);
    const message = `the store cannot write now, nothing was changed: ${error.message}`;
    return new SynodError("unavailable", message, { retryAfterMs: 1_000, cause: error });
  }
}
