/**
 * A store for the committer's tests: all or nothing, epochs and versions checked, and "bad" data refused. Beside
 * the rows it keeps what the same changes would leave if they were applied one by one.
 */
import assert from "node:assert/strict";
import { SynodError } from "../../errors.ts";
import { batchFault } from "../../ports/batch.ts";
import type { CommitBatch, CommitResult, SessionFloor, ShardChanges, ShardId } from "../../ports/store.ts";
import { ungivenNumber } from "../../ports/work-form.ts";
import type { Change } from "./load.ts";
import { badReply, marksIn, PendingModel, PendingModels } from "./pending.test.ts";
import type { Progress } from "./work.ts";

export interface Row {
  readonly version: number;
  readonly state: string | null;
}

const noRow: Row = { version: 0, state: null };

/** `at`: when it was said to the committer. Later things have higher numbers. */
interface SaidChange {
  readonly change: Change;
  readonly at: number;
  /** The token of progress without which it may not be written. */
  readonly requires: number | null;
}

interface SaidProgress {
  readonly progress: Progress;
  readonly at: number;
  /** Names of changes on which it builds. */
  readonly after: readonly string[];
}

export interface Said {
  /** A change is named by its record's id. */
  change(name: string): SaidChange;
  progress(token: number): SaidProgress;
}

export class ModelStore {
  readonly epochs = new Map<number, number>();
  readonly #rows = new Map<string, Row>();
  /** Applied one by one. */
  readonly #expected = new Map<string, Row>();
  readonly #floors = new Map<string, SessionFloor>();
  /** Names of the changes, and tokens of the progress, that were written. */
  readonly applied = new Set<string | number>();
  readonly pending = new PendingModels();
  /** Changes and progress that were written, by shard. */
  readonly #written = new Map<number, (SaidChange | SaidProgress)[]>();
  readonly #sessionNext = new Map<number, number>();
  readonly #said: Said;

  constructor(said: Said) {
    this.#said = said;
  }

  row(shard: ShardId, key: string): Row {
    return this.#rows.get(`${shard.number}/${key}`) ?? noRow;
  }

  sessionNext({ number }: ShardId): number {
    return this.#sessionNext.get(number) ?? 1;
  }

  floor(shard: ShardId, session: string): SessionFloor | null {
    return this.#floors.get(`${shard.number}/${session}`) ?? null;
  }

  /** Takes the shard for somebody: every older epoch is fenced. */
  claim(shard: ShardId): number {
    const epoch = (this.epochs.get(shard.number) ?? 0) + 1;
    this.epochs.set(shard.number, epoch);
    return epoch;
  }

  /** Another version appears under a key: what an activation knows of it is stale. */
  tamper(shard: ShardId, key: string, version: number): void {
    const row = { version, state: "tampered" };
    this.#rows.set(`${shard.number}/${key}`, row);
    this.#expected.set(`${shard.number}/${key}`, row);
  }

  commit(batch: CommitBatch): CommitResult {
    assert.equal(batchFault(batch), undefined, "every batch has the form that stores take");
    const fenced = batch.shards.filter(({ shard, epoch }) => this.epochs.get(shard.number) !== epoch);
    if (fenced.length > 0) return { status: "fenced", shards: fenced.map(({ shard }) => ({ ...shard })) };
    const all = batch.shards.flatMap(({ shard, entities }) => entities.map((entity) => ({ shard, ...entity })));
    if (all.some(({ records }) => records.some(({ reply }) => reply === badReply))) {
      return { status: "refused", error: new SynodError("invalid_argument", "bad data") };
    }
    const entries = batch.shards.flatMap(({ progress }) => progress?.items.flatMap(({ journal }) => journal) ?? []);
    if (entries.some(({ outcome }) => outcome === badReply)) {
      return { status: "refused", error: new SynodError("invalid_argument", "a bad outcome") };
    }
    for (const changes of batch.shards) this.#assertGiven(changes);
    const stale = all.filter(({ shard, key, expectedVersion }) => this.row(shard, key).version !== expectedVersion);
    if (stale.length > 0) {
      return { status: "conflict", entities: stale.map(({ shard, key }) => ({ shard: { ...shard }, key })) };
    }
    for (const { shard, key, version, state, records } of all) {
      const name = `${shard.number}/${key}`;
      if (state !== null || version === 0) this.#rows.set(name, { version, state });
      for (const { id } of records) this.#apply(name, id);
    }
    for (const { shard, floors } of batch.shards) for (const floor of floors) this.#raise(shard, floor);
    for (const changes of batch.shards) this.#applyPending(changes);
    for (const { records } of all) for (const { id } of records) this.#assertFollows(this.#said.change(id));
    assert.deepEqual(this.#rows, this.#expected, "a batch leaves what its changes leave one by one");
    return { status: "committed", renewed: false };
  }

  /** No number is used twice, and none that was not given out. */
  #assertGiven(changes: ShardChanges): void {
    const before = this.#sessionNext.get(changes.shard.number) ?? 1;
    assert.equal(ungivenNumber(changes, before), undefined);
    this.#sessionNext.set(changes.shard.number, changes.sessionNext ?? before);
  }

  #applyPending({ shard, entities, progress }: ShardChanges): void {
    const actual = this.pending.of(shard);
    for (const { key, work } of entities) {
      if (work !== null) assert.ok(actual.apply(key, work), "an owner who makes no mistakes meets no conflict");
    }
    if (progress !== null) actual.advance(progress);
    const changes = entities.flatMap(({ records }) => records.map(({ id }) => this.#said.change(id)));
    const tokens = marksIn(progress?.messagesSettled ?? []);
    for (const token of tokens) this.applied.add(token);
    const all = this.#written.get(shard.number) ?? [];
    all.push(...changes, ...tokens.map((token) => this.#said.progress(token)));
    this.#written.set(shard.number, all);
    const expected = new PendingModel();
    for (const said of all.toSorted((a, b) => a.at - b.at)) {
      if ("progress" in said) expected.advance(said.progress);
      else if (said.change.work !== null) expected.apply(said.change.key, said.change.work);
    }
    assert.deepEqual(
      actual,
      expected,
      "pending work is as if all that was written had been applied in the order in which it was said",
    );
  }

  #raise(shard: ShardId, floor: SessionFloor): void {
    const before = this.floor(shard, floor.session);
    assert.ok(before === null || before.floor <= floor.floor, "no floor takes a promise back");
    this.#floors.set(`${shard.number}/${floor.session}`, floor);
  }

  /** What it requires is written, and what that builds on. */
  #assertFollows({ requires }: SaidChange): void {
    if (requires === null) return;
    assert.ok(this.applied.has(requires), "no change is durable without what it requires");
    for (const name of this.#said.progress(requires).after) {
      assert.ok(this.applied.has(name), "nor without what that builds on");
    }
  }

  #apply(name: string, id: string): void {
    const { expectedVersion, version, state } = this.#said.change(id).change;
    const row = this.#expected.get(name) ?? noRow;
    assert.equal(row.version, expectedVersion, "changes are applied in the order in which they were made");
    assert.ok(!this.applied.has(id), "no change is applied twice");
    this.applied.add(id);
    this.#expected.set(name, { version, state: state === undefined ? row.state : state });
  }
}
