/**
 * A driver around one committer, for its tests: entities that make changes, a store that answers as it is told,
 * and a report for every change, which is compared with what the store really did.
 */
import assert from "node:assert/strict";
import { SynodError } from "../../errors.ts";
import type { CommitBatch, CommitResult, SessionFloor, ShardId } from "../../ports/store.ts";
import {
  Commits,
  type CommitsEffect,
  type CommitsInput,
  type CommitsOptions,
  type ProgressOutcome,
} from "./commits.ts";
import type { Change } from "./load.ts";
import { ModelStore } from "./model-store.test.ts";
import {
  badReply,
  markOf,
  marksIn,
  type PendingModel,
  type ProgressForm,
  progressOf,
  type WorkForm,
  workOf,
} from "./pending.test.ts";
import type { Prerequisite } from "./prerequisite.ts";
import { bytesOfProgress, bytesOfWork, type Progress } from "./work.ts";

/** What became of a change. `again`: it was built on a lost one, and its command runs again. */
export type Report = "durable" | "rolledBack" | "again" | "fenced" | "stale" | "unknown" | "dropped";

interface Made {
  readonly change: Change;
  readonly at: number;
  readonly bytes: number;
  /** The progress that it requires. */
  readonly requires: number | null;
  report: Report | null;
}

interface Told {
  readonly progress: Progress;
  readonly at: number;
  /** Changes of its entity that it builds on, by name: those that nobody knew to be durable when it was said. */
  readonly after: readonly string[];
  report: ProgressOutcome | null;
}

interface Entity {
  readonly shard: ShardId;
  readonly key: string;
  version: number;
  position: number;
  durable: { version: number; position: number };
  /** Changes without a report, oldest first. */
  pending: Made[];
}

interface UnderWay {
  readonly batch: CommitBatch;
  readonly names: ReadonlySet<string>;
  readonly tokens: ReadonlySet<number>;
  /** What the store answered already; it is on its way. */
  result: CommitResult | null;
  /** Shards that were dropped since the batch was sent. */
  readonly dropped: Set<number>;
}

type Answered = Extract<CommitsInput, { kind: "answered" }>["result"];
type Kind<K extends CommitsEffect["kind"]> = Extract<CommitsEffect, { kind: K }>;

export interface ChangeForm {
  readonly form: "set" | "clear" | "record";
  readonly bad: boolean;
  readonly size: number;
  readonly work: WorkForm;
  /** Sessions whose floor rose. */
  readonly floors: readonly string[];
  /** Which of the progress that is not reported yet it requires; null: none. */
  readonly requires: number | null;
}

const service = "account";
const keys = ["a", "b", "c"];

export class World {
  readonly commits: Commits;
  readonly store = new ModelStore({
    change: (name) => this.made.get(name)!,
    progress: (token) => this.told.get(token)!,
  });
  readonly made = new Map<string, Made>();
  readonly told = new Map<number, Told>();
  underWay: UnderWay | null = null;
  over = false;
  readonly #options: CommitsOptions;
  /** Epoch of the activation of each shard that is owned. */
  readonly #epochs = new Map<number, number>();
  readonly #entities = new Map<string, Entity>();
  #woken = false;
  #answer: Answered | null = null;
  #lastVersion = 0;
  #lastFloor = 0;
  /** Counts what is said to the committer. */
  #said = 0;
  /** Progress that was under way when the store broke. */
  #sentToBroken: ReadonlySet<number> = new Set();
  /** The next number of each shard that is owned. */
  readonly #nextNumbers = new Map<number, number>();

  constructor(bounds: Omit<CommitsOptions, "incarnation"> = { batchCommandsMax: 4, batchBytesMax: 300 }) {
    this.#options = { incarnation: 1, ...bounds };
    this.commits = new Commits(this.#options);
  }

  get pending(): number {
    return [...this.made.values(), ...this.told.values()].filter(({ report }) => report === null).length;
  }

  /** A command of this entity finished; the shard is claimed first when it is not owned. */
  change(number: number, key: string, { form, bad, size, floors, work: workForm, requires: pick }: ChangeForm): void {
    const shard = { service, number };
    const entity = this.#entity(shard, key);
    const work = workOf(workForm, key, this.#known(shard), () => this.#nextNumber(shard));
    const state = form === "set" ? "s".repeat(size) : form === "clear" ? null : undefined;
    const version = form === "set" ? this.#nextVersion() : form === "clear" ? 0 : entity.version;
    const name = `change ${this.made.size + 1}`;
    const reply = bad ? badReply : "ok";
    const open = [...this.told].filter(([, { report }]) => report === null);
    const [requires, required] = pick === null || open.length === 0 ? [null] : open[pick % open.length]!;
    const change: Change = {
      shard: { service, number },
      epoch: this.#epochs.get(number)!,
      key,
      position: entity.position + 1,
      expectedVersion: entity.version,
      version,
      stateVersion: 1,
      state,
      record: { id: name, inputHash: "", reply, finishedAt: 0, keyTime: null },
      work,
      floors: floors.map((session) => this.#floorOf(session)),
      requires: required?.progress.fulfils,
    };
    const bytes = key.length + (state?.length ?? 0) + reply.length + (work === null ? 0 : bytesOfWork(work));
    const made: Made = { change, at: ++this.#said, bytes, requires, report: null };
    this.made.set(name, made);
    entity.pending.push(made);
    entity.position += 1;
    entity.version = version;
    this.#step({ kind: "change", change });
  }

  /** Something happened to pending work of the shard, if there is any and it is owned. */
  progress(number: number, form: ProgressForm, pick: number): void {
    const shard = { service, number };
    const epoch = this.#epochs.get(number);
    if (epoch === undefined) return;
    const known = { known: this.#known(shard), durable: this.store.pending.of(shard) };
    const said = progressOf(form, pick, known, () => this.#nextNumber(shard));
    if (said === null) return;
    const token = ++this.#said;
    const messagesSettled = [...(said.messagesSettled ?? []), markOf(token)];
    const key = keys[pick % keys.length]!;
    const fulfils: Prerequisite = { key, standing: "open" };
    const progress = { ...said, messagesSettled, shard, epoch, token, fulfils };
    const pending = this.#entities.get(`${number}/${key}`)?.pending ?? [];
    const after = pending.map(({ change }) => change.record!.id);
    this.told.set(token, { progress, at: token, after, report: null });
    this.#step({ kind: "progress", progress });
  }

  flush(): void {
    this.#woken = false;
    this.#step({ kind: "flush" });
  }

  /** The store acts on the batch under way; its answer travels. */
  act(): void {
    if (this.underWay !== null) this.underWay.result ??= this.store.commit(this.underWay.batch);
  }

  answer(kind: "truth" | "failed" | "unknown" | "ended" | "broken", hurry = false): void {
    const { underWay } = this;
    if (underWay === null) return;
    const acted = underWay.result;
    // What has been written can be reported as written, or not at all.
    if (acted === null && kind === "failed") underWay.result = { status: "failed", error: broken };
    if (acted === null && kind === "ended") underWay.result = { status: "ended" };
    if (kind === "truth") this.act();
    const lost = kind === "broken" ? ({ status: "broken", error: broken } as const) : ({ status: "unknown" } as const);
    if (kind === "broken") this.#sentToBroken = underWay.tokens;
    this.#answer = kind === "unknown" || kind === "broken" ? lost : underWay.result;
    this.#step({ kind: "answered", result: this.#answer!, hurry });
    this.#answer = null;
  }

  /** The shard is given up, or must be claimed anew. */
  drop(number: number): void {
    if (!this.#epochs.delete(number)) return;
    const shard = { service, number };
    for (const entity of this.#entitiesOf(shard)) {
      const through = this.commits.positionUnderWay(shard, entity.key);
      this.#report(entity, through, "unknown", "dropped");
    }
    this.#forget(shard);
    this.underWay?.dropped.add(number);
    this.#dropProgress(shard);
  }

  /** What the committer says to the drop of a shard: the last word on all of its progress. */
  #dropProgress(shard: ShardId): void {
    const effects = this.commits.step({ kind: "drop", shard });
    const open = [...this.told.values()].filter(({ report, progress }) => {
      return report === null && progress.shard.number === shard.number;
    });
    for (const effect of effects) {
      assert.ok(effect.kind === "progressed");
      const sent = this.underWay?.tokens ?? this.#sentToBroken;
      const outcome = sent.has(effect.token) ? "unknown" : "dropped";
      assert.deepEqual(effect, { kind: "progressed", token: effect.token, outcome, error: undefined });
      this.told.get(effect.token)!.report = outcome;
    }
    for (const { report } of open) assert.ok(report !== null, "the progress of a dropped shard is reported");
  }

  /** Another node takes the shard. */
  steal(number: number): void {
    this.store.claim({ service, number });
  }

  tamper(number: number, key: string): void {
    this.store.tamper({ service, number }, key, this.#nextVersion());
  }

  /** The world calms down: the store answers, truly, until nothing is left. */
  settle(): void {
    for (let left = 10_000; !this.over && !this.commits.idle; left--) {
      assert.ok(left > 0, "the committer comes to no end");
      if (this.underWay !== null) this.answer("truth");
      else if (this.#woken) this.flush();
      else assert.fail("something waits, and nobody was woken");
    }
    for (const [name, { report }] of [...this.made, ...this.told]) {
      assert.ok(report !== null, `${name} is reported`);
      if (report !== "unknown") assert.equal(this.store.applied.has(name), report === "durable", `${name}: ${report}`);
    }
  }

  #nextVersion(): number {
    return ++this.#lastVersion;
  }

  #nextNumber({ number }: ShardId): number {
    const next = this.#nextNumbers.get(number)!;
    this.#nextNumbers.set(number, next + 1);
    return next;
  }

  /** The shard's pending work once all that was said is done. */
  #known(shard: ShardId): PendingModel {
    const known = this.store.pending.of(shard).copy();
    const isOpen = ({ report }: Made | Told): boolean => report === null;
    const said = [...this.made.values(), ...this.told.values()].filter(isOpen).sort((a, b) => a.at - b.at);
    for (const each of said) {
      if ("progress" in each) {
        if (each.progress.shard.number === shard.number) known.advance(each.progress);
      } else if (each.change.shard.number === shard.number && each.change.work !== null) {
        known.apply(each.change.key, each.change.work);
      }
    }
    return known;
  }

  #floorOf(session: string): SessionFloor {
    const floor = ++this.#lastFloor;
    return { session, floor, open: [floor - 1] };
  }

  #entity(shard: ShardId, key: string): Entity {
    if (!this.#epochs.has(shard.number)) {
      this.#epochs.set(shard.number, this.store.claim(shard));
      this.#nextNumbers.set(shard.number, this.store.sessionNext(shard));
    }
    const name = `${shard.number}/${key}`;
    let entity = this.#entities.get(name);
    if (entity === undefined) {
      const { version } = this.store.row(shard, key);
      entity = { shard, key, version, position: 0, durable: { version, position: 0 }, pending: [] };
      this.#entities.set(name, entity);
    }
    return entity;
  }

  #entitiesOf({ number }: ShardId): Entity[] {
    return [...this.#entities.values()].filter(({ shard }) => shard.number === number);
  }

  #forget(shard: ShardId): void {
    for (const { key } of this.#entitiesOf(shard)) this.#entities.delete(`${shard.number}/${key}`);
  }

  /** Pending changes up to `through` get the first report, later ones the second. */
  #report(entity: Entity, through: number, report: Report, later: Report): Made[] {
    const { pending } = entity;
    entity.pending = [];
    for (const made of pending) made.report = made.change.position <= through ? report : later;
    return pending.filter(({ change }) => change.position <= through);
  }

  #step(input: CommitsInput): void {
    const answered = input.kind === "answered" ? this.underWay : null;
    if (answered !== null) this.underWay = null;
    for (const effect of this.commits.step(input)) this.#perform(effect, answered);
    if (this.over) return;
    assert.equal(this.commits.idle, this.underWay === null && this.pending === 0, "idle is exact");
  }

  #perform(effect: CommitsEffect, answered: UnderWay | null): void {
    // What is left behind when a batch is sent was in none.
    const isLeftBehind = effect.kind === "rolledBack" && effect.through === 0;
    if ("shard" in effect && !isLeftBehind) {
      assert.ok(answered !== null, "only an answer says what became of changes");
      assert.ok(!answered.dropped.has(effect.shard.number), "an answer for a dropped shard concerns nobody");
    }
    switch (effect.kind) {
      case "commit":
        return this.#send(effect.batch);
      case "wake":
        assert.equal(this.underWay, null);
        this.#woken = true;
        return;
      case "durable":
        return this.#durable(effect, answered!);
      case "rolledBack":
        return isLeftBehind ? this.#leftBehind(effect) : this.#rolledBack(effect, answered!);
      case "stale": {
        const entity = this.#entity(effect.shard, effect.key);
        assert.equal(this.#answer?.status, "conflict");
        this.#report(entity, Number.POSITIVE_INFINITY, "stale", "stale");
        return void this.#entities.delete(`${effect.shard.number}/${effect.key}`);
      }
      case "progressed":
        return this.#progressed(effect, answered!);
      case "fenced":
        assert.equal(this.#answer?.status, "fenced");
        return this.#lose(effect.shard, () => [Number.POSITIVE_INFINITY, "fenced"]);
      case "unknown":
        return this.#lose(effect.shard, (key) => [effect.positions.get(key) ?? 0, "unknown"]);
      case "ended":
      case "broken":
        return this.#end();
    }
  }

  #send(batch: CommitBatch): void {
    assert.equal(this.underWay, null, "one commit is under way at a time");
    assert.ok(!this.over, "nothing is sent after the end");
    const names = batch.shards.flatMap(({ entities }) =>
      entities.flatMap(({ records }) => records.map(({ id }) => id)),
    );
    const tokens = batch.shards.flatMap(({ progress }) => marksIn(progress?.messagesSettled ?? []));
    const bytes =
      names.reduce((sum, name) => sum + this.made.get(name)!.bytes, 0) +
      tokens.reduce((sum, token) => sum + bytesOfProgress(this.told.get(token)!.progress), 0);
    const length = names.length + tokens.length;
    const { batchCommandsMax, batchBytesMax, incarnation } = this.#options;
    assert.ok(length > 0 && length <= batchCommandsMax, "a batch keeps its bound of commands");
    assert.ok(bytes <= batchBytesMax || length === 1, "a batch keeps its bound of bytes");
    assert.equal(batch.incarnation, incarnation);
    for (const name of names) assert.equal(this.made.get(name)!.report, null, "what was reported is not sent again");
    for (const token of tokens) assert.equal(this.told.get(token)!.report, null, "nor is progress");
    this.underWay = { batch, names: new Set(names), tokens: new Set(tokens), result: null, dropped: new Set() };
  }

  #durable({ shard, key, position }: Kind<"durable">, { names }: UnderWay): void {
    const entity = this.#entity(shard, key);
    assert.equal(this.#answer?.status, "committed");
    assert.ok(position > entity.durable.position);
    while (entity.pending[0] !== undefined && entity.pending[0].change.position <= position) {
      const made = entity.pending.shift()!;
      assert.ok(names.has(made.change.record!.id), "only what was in the batch becomes durable by it");
      made.report = "durable";
      for (const floor of made.change.floors) {
        const kept = this.store.floor(shard, floor.session);
        assert.ok(kept !== null && kept.floor >= floor.floor, "a durable change has brought its floors along");
      }
      entity.durable = { version: made.change.version, position: made.change.position };
    }
    assert.equal(entity.durable.position, position);
  }

  #progressed({ token, outcome }: Kind<"progressed">, { tokens }: UnderWay): void {
    const told = this.told.get(token)!;
    assert.ok(tokens.has(token), "only what was in the batch is reported by its answer");
    assert.equal(told.report, null, "progress is reported once");
    const statuses = { durable: ["committed"], failed: ["failed"], refused: ["refused"], unknown: ["unknown"] };
    const expected = outcome === "dropped" ? ["fenced", "ended"] : statuses[outcome];
    assert.ok(expected.includes(this.#answer!.status), `${outcome} after ${this.#answer!.status}`);
    const outcomes = told.progress.items?.flatMap(({ journal }) => journal.map((entry) => entry.outcome)) ?? [];
    if (outcome === "refused") assert.ok(outcomes.includes(badReply), "only bad progress is refused");
    told.report = outcome;
  }

  #rolledBack({ shard, key, through, culprit }: Kind<"rolledBack">, { names }: UnderWay): void {
    const entity = this.#entity(shard, key);
    assert.equal(this.#answer?.status, culprit ? "refused" : "failed");
    const authors = this.#report(entity, through, "rolledBack", "again");
    for (const { change } of authors)
      assert.ok(names.has(change.record!.id), "only what was in the batch is lost by it");
    const bad = authors.some(({ change }) => change.record!.reply === badReply);
    if (culprit) assert.ok(bad, "only an entity with bad data is refused");
    entity.version = entity.durable.version;
    entity.position = entity.durable.position;
  }

  /** Something that it required did not take place, nor what it built on: it is nobody's fault, and all of the entity run again. */
  #leftBehind({ shard, key, culprit }: Kind<"rolledBack">): void {
    const entity = this.#entity(shard, key);
    assert.equal(culprit, false);
    this.#report(entity, 0, "rolledBack", "again");
    entity.version = entity.durable.version;
    entity.position = entity.durable.position;
  }

  #lose(shard: ShardId, reportOf: (key: string) => [through: number, report: Report]): void {
    for (const entity of this.#entitiesOf(shard)) {
      const [through, report] = reportOf(entity.key);
      this.#report(entity, through, report, "dropped");
    }
    this.#epochs.delete(shard.number);
    this.#forget(shard);
    this.#dropProgress(shard);
  }

  /** The lease has ended, or the store must not be used again: every shard is given up. */
  #end(): void {
    this.over = true;
    for (const number of [...this.#epochs.keys()]) this.drop(number);
    assert.ok(this.commits.idle);
    this.flush();
  }
}

const broken = new SynodError("unavailable", "the disk is full");
