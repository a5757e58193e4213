/**
 * A whole store at one moment, as rows that no longer depend on where they were stored: what a backup is made of, what
 * a restore writes, and what a check of a store looks at. Rows come with the checksums with which they rest, so that
 * damage is carried along and found, and never covered by a new checksum.
 *
 * Members and leases are left out: they mean nothing once the moment has passed.
 */
import type { CallRecord, EntityRow, SessionFloor } from "./store.ts";
import type { StoredEntry, StoredItem, StoredMessage, StoredTimer } from "./stored-work.ts";

/** What is said once about a store. */
export interface SnapshotFacts {
  readonly system: string;
  /** Cluster incarnation. */
  readonly cluster: number;
  readonly shardsPerService: number;
  /** 32 bytes, in hexadecimal digits. */
  readonly secret: string;
  /** The last incarnation of a member that was given out. */
  readonly incarnations: number;
  /** Of the view. */
  readonly revision: number;
  /** The highest epoch of a shard; 0 when there is none. */
  readonly epochMax: number;
}

export interface SnapshotShard {
  readonly service: string;
  readonly number: number;
  readonly epoch: number;
  readonly stateVersion: number;
  /** Ms since 1970. */
  readonly watermark: number;
  /** How many records with a key time there are. */
  readonly timedRecords: number;
  readonly sessionNext: number;
}

export interface SnapshotEntity extends EntityRow {
  readonly key: string;
  readonly checksum: number;
  /** Ms since 1970. */
  readonly updatedAt: number;
}

export interface SnapshotRows {
  /** Begins a shard: what follows rests in it, up to the next one. */
  readonly shard: SnapshotShard;
  readonly floor: SessionFloor;
  readonly entity: SnapshotEntity;
  readonly record: CallRecord & { readonly checksum: number };
  readonly item: StoredItem;
  /** In the order of its item's entries; `item` is a number in the inbox. */
  readonly entry: StoredEntry & { readonly item: number };
  readonly message: StoredMessage;
  readonly timer: StoredTimer;
}

export type SnapshotKind = keyof SnapshotRows;
/** A row under its kind. */
export type SnapshotRow = {
  [Kind in SnapshotKind]: { readonly kind: Kind; readonly row: SnapshotRows[Kind] };
}[SnapshotKind];
/** Kinds of rows in their order within a shard. */
export const snapshotKinds: readonly SnapshotKind[] = [
  "shard",
  "floor",
  "entity",
  "record",
  "item",
  "entry",
  "message",
  "timer",
];

export interface StoreSnapshot extends AsyncDisposable {
  readonly facts: SnapshotFacts;
  /** How many shards there are. */
  readonly shardsLength: number;
  /** All rows, shard by shard, in batches of a bounded length. Can be read once. */
  rows(): AsyncIterable<readonly SnapshotRow[]>;
  /** What is wrong with the store besides its rows, in sentences: pages, rows that belong to no shard. */
  faults(): Promise<readonly string[]>;
}

/** How a snapshot is written into a store. */
export interface RestoreOptions {
  /** Whether what is in the store may go. */
  readonly overwrite: boolean;
  /**
   * How far epochs, incarnations, revisions and numbers of sessions are raised above all that the snapshot or the store
   * has, so that nothing is given out twice, whatever happened after the snapshot.
   */
  readonly jump: number;
}

/** What a restored store begins with. */
export interface RestoredFacts {
  /** The new cluster incarnation. */
  readonly cluster: number;
  /** The epoch of all shards. */
  readonly epoch: number;
}
