/** What the tests of a store are written with: short names for requests, and owners that are ready to commit. */
import assert from "node:assert/strict";
import type {
  CallRecord,
  CommitBatch,
  EntityChange,
  EntityRow,
  SessionFloor,
  ShardChanges,
  ShardId,
  Store,
  TrimRequest,
  TrimResult,
} from "../../ports/store.ts";
import { sessionRecordId } from "../../values/ids.ts";

/** A database that was made for one group of tests. */
export interface StoreUnderTest {
  /** Opens a further connection to the database. */
  open(): Promise<Store>;
  /** Where another process finds it, for the program that the adapter's tests bring. */
  readonly location?: string;
  /** Holds the write lock as another process would, until it is called. */
  lock?(): Promise<() => Promise<void>>;
  /** Removes the database; all connections have been closed. */
  remove(): Promise<void>;
}

/** A database with room for about a megabyte. */
export interface SmallStoreUnderTest extends StoreUnderTest {
  /** Gives it room, for connections that are opened afterwards. */
  grow(): Promise<void>;
}

export interface StoreConformanceOptions {
  /** What is tested, for the report. */
  readonly name: string;
  /** Makes a new, empty database of the system "conformance". */
  readonly create: () => Promise<StoreUnderTest>;
  /** Makes one that will soon be full. Without it nothing is known of a full store. */
  readonly createSmall?: () => Promise<SmallStoreUnderTest>;
  /** A program that calls `storeProcess`. Without it processes are neither let loose on each other nor killed. */
  readonly program?: URL;
  /** The longest that a commit or a renewal may take to answer while another process holds the write lock. */
  readonly lockedAnswerMaxMs?: number;
}

/** Two connections to one database, which the tests of a group share; each test has services of its own. */
export interface Fixture {
  readonly store: Store;
  readonly other: Store;
  readonly database: StoreUnderTest;
  /** A name that no test has used. */
  service(): string;
  close(): Promise<void>;
}

export async function openFixture(create: () => Promise<StoreUnderTest>): Promise<Fixture> {
  const database = await create();
  const [store, other] = [await database.open(), await database.open()];
  let services = 0;
  return {
    store,
    other,
    database,
    service: () => `service-${++services}`,
    close: async () => {
      await store.close();
      await other.close();
      await database.remove();
    },
  };
}

let nodes = 0;

/** Joins under a name that no test has used, hosting one service. */
export async function join(
  store: Store,
  service: string,
  stateVersion = 1,
): Promise<{ node: string; incarnation: number }> {
  const node = `node-${++nodes}`;
  const { incarnation } = await store.join({ node, address: null, hosts: [{ service, stateVersion }] });
  return { node, incarnation };
}

/** A member that owns one shard. */
export interface Owner {
  readonly node: string;
  readonly incarnation: number;
  readonly shard: ShardId;
  readonly epoch: number;
}

/** Joins and claims a shard that is free. */
export async function own(
  store: Store,
  service: string,
  { number = 0, stateVersion = 1 }: { number?: number; stateVersion?: number } = {},
): Promise<Owner> {
  const member = await join(store, service, stateVersion);
  const shard = { service, number };
  return { ...member, shard, epoch: await claim(store, member.incarnation, shard) };
}

/** Claims a shard that is free, and answers its epoch. */
export async function claim(store: Store, incarnation: number, shard: ShardId): Promise<number> {
  const result = await store.claim({ incarnation, shards: [shard], expired: [] });
  assert.equal(result.status, "claimed");
  assert.ok(result.status === "claimed");
  assert.equal(result.claimed.length, 1, "the shard is free");
  return result.claimed[0]!.epoch;
}

/** A row from one version to a higher one. */
export function put(key: string, from: number, to: number, records: readonly CallRecord[] = []): EntityChange {
  return { key, expectedVersion: from, version: to, stateVersion: 1, state: stateAt(to), records, work: null };
}

/** The state that {@link put} writes. */
function stateAt(version: number): string {
  return `{"version":${version}}`;
}

/** Records, and the row left as it is. */
export function note(key: string, version: number, records: readonly CallRecord[]): EntityChange {
  return { key, expectedVersion: version, version, stateVersion: 1, state: null, records, work: null };
}

/** The row removed. */
export function clear(key: string, from: number, records: readonly CallRecord[] = []): EntityChange {
  return { key, expectedVersion: from, version: 0, stateVersion: 1, state: null, records, work: null };
}

/** A record of an opaque key, or of a timed one. */
export function record(
  id: string,
  { finishedAt = 1_000, keyTime = null }: { finishedAt?: number; keyTime?: number | null } = {},
): CallRecord {
  return { id, inputHash: `hash of ${id}`, reply: `{"reply":"${id}"}`, finishedAt, keyTime };
}

/** A batch that changes the owner's one shard. */
export function batch(owner: Owner, ...entities: EntityChange[]): CommitBatch {
  return { incarnation: owner.incarnation, shards: [changes(owner, ...entities)] };
}

export function changes({ shard, epoch }: Owner, ...entities: EntityChange[]): ShardChanges {
  return { shard, epoch, entities, floors: [], sessionNext: null, progress: null };
}

/** A batch that raises floors in the owner's one shard and changes its entities. */
export function raising(owner: Owner, floors: readonly SessionFloor[], ...entities: EntityChange[]): CommitBatch {
  return { incarnation: owner.incarnation, shards: [{ ...changes(owner, ...entities), floors }] };
}

/** The record of a call of a session. */
export function callOf(session: string, number: number): CallRecord {
  return { ...record(sessionRecordId(session, number)), finishedAt: null };
}

/** Commits to the owner's shard what must be taken. */
export async function commit(store: Store, owner: Owner, ...entities: EntityChange[]): Promise<void> {
  const result = await store.commit(batch(owner, ...entities));
  assert.equal(result.status, "committed", JSON.stringify(result));
}

export async function readRow(store: Store, shard: ShardId, key: string): Promise<EntityRow | null> {
  const [result] = await store.read([{ kind: "entity", shard, key }]);
  assert.ok(result?.kind === "entity");
  return result.row;
}

export async function readRecord(store: Store, shard: ShardId, id: string): Promise<CallRecord | null> {
  const [result] = await store.read([{ kind: "record", shard, id }]);
  assert.ok(result?.kind === "record");
  return result.record;
}

/** The row that {@link put} leaves behind. */
export function rowAt(version: number): EntityRow {
  return { version, stateVersion: 1, state: stateAt(version) };
}

/** Which of the records are still there, by id. */
export async function left(store: Store, { shard }: Owner, records: readonly CallRecord[]): Promise<string[]> {
  const found = await Promise.all(records.map(({ id }) => readRecord(store, shard, id)));
  return found.filter((entry) => entry !== null).map(({ id }) => id);
}

/** Bounds of a trim that forgets nothing. */
const nothing = { finishedBefore: 0, timedCap: Number.MAX_SAFE_INTEGER, timedRowsMax: 1_000_000, removeMax: 1_000_000 };

export async function trim(store: Store, owner: Owner, bounds: Partial<TrimRequest>): Promise<TrimResult> {
  const { incarnation, shard, epoch } = owner;
  return await store.trim({ ...nothing, endedSessions: [], incarnation, shard, epoch, ...bounds });
}

/** The renewal counter of a live member; undefined when its lease has ended. */
export async function renewalsOf(store: Store, incarnation: number): Promise<number | undefined> {
  const { members } = await store.view();
  return members.find((member) => member.incarnation === incarnation)?.renewals;
}

/** Owner and epoch of a shard. */
export async function ownershipOf(store: Store, { service, number }: ShardId): Promise<[number | null, number]> {
  const { shards } = await store.view();
  const found = shards.find(({ shard }) => shard.service === service && shard.number === number);
  assert.ok(found !== undefined, "the shard is in the view");
  return [found.owner, found.epoch];
}
