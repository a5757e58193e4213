/**
 * A store for the committer's tests: all or nothing, epochs and versions checked, and "bad" data refused. Beside
 * the rows it keeps what the same changes would leave if they were applied one by one.
 */
import assert from "node:assert/strict";
import { SynodError } from "../../errors.ts";
import { batchFault } from "../../ports/batch.ts";
import type { CommitBatch, CommitResult, SessionFloor, ShardId } from "../../ports/store.ts";
import type { Change } from "./load.ts";

export interface Row {
  readonly version: number;
  readonly state: string | null;
}

const noRow: Row = { version: 0, state: null };

/** The reply of a change that the store does not take. */
export const badReply = "bad";

export class ModelStore {
  readonly epochs = new Map<number, number>();
  readonly #rows = new Map<string, Row>();
  /** Applied one by one. */
  readonly #expected = new Map<string, Row>();
  readonly #floors = new Map<string, SessionFloor>();
  /** Names of the changes that were written. */
  readonly applied = new Set<string>();
  readonly #changeOf: (name: string) => Change;

  /** A change is named by its record's id. */
  constructor(changeOf: (name: string) => Change) {
    this.#changeOf = changeOf;
  }

  row(shard: ShardId, key: string): Row {
    return this.#rows.get(`${shard.number}/${key}`) ?? noRow;
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
    assert.deepEqual(this.#rows, this.#expected, "a batch leaves what its changes leave one by one");
    return { status: "committed", renewed: false };
  }

  #raise(shard: ShardId, floor: SessionFloor): void {
    const before = this.floor(shard, floor.session);
    assert.ok(before === null || before.floor <= floor.floor, "no floor takes a promise back");
    this.#floors.set(`${shard.number}/${floor.session}`, floor);
  }

  #apply(name: string, id: string): void {
    const { expectedVersion, version, state } = this.#changeOf(id);
    const row = this.#expected.get(name) ?? noRow;
    assert.equal(row.version, expectedVersion, "changes are applied in the order in which they were made");
    assert.ok(!this.applied.has(id), "no change is applied twice");
    this.applied.add(id);
    this.#expected.set(name, { version, state: state === undefined ? row.state : state });
  }
}
