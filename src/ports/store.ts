/**
 * The store port: the one place that decides. Ownership, state, replies and retention are conditional
 * writes here (rule S1); everything that a node believes besides is a hint.
 *
 * Every method either answers, or rejects. A rejected `commit` or `claim` is *unknown*: it may have been
 * applied (rule S3). A method that answers has told the truth, durably (rule S6).
 */
import type { SynodError } from "../errors.ts";
import type {
  EntityWork,
  InboxItem,
  JournaledItem,
  OutboxMessage,
  Page,
  ShardProgress,
  TimerPlace,
  TimerRow,
} from "./work.ts";

/** The unit of ownership. */
export interface ShardId {
  readonly service: string;
  /** 0 up to `StoreIdentity.shardsPerService` - 1. */
  readonly number: number;
}

/** What a store was created with; constant for as long as it is open. */
export interface StoreIdentity {
  /** The system that the store belongs to. */
  readonly system: string;
  /** Cluster incarnation: bumped when a backup is restored; effectively-once does not cross that. */
  readonly cluster: number;
  readonly shardsPerService: number;
  /** 32 bytes, made when the store was created; `ctx.random` and `ctx.uuid` are derived from it. */
  readonly secret: Uint8Array;
}

export interface HostedService {
  readonly service: string;
  /**
   * The state version that this node's code writes; shards that hold a newer one are not for it. Null for a
   * stateless service, which has no shards.
   */
  readonly stateVersion: number | null;
}

/** A process admitted to the membership. */
export interface Member {
  readonly node: string;
  /** From one counter in the store, never used twice. A member that is not in the view has no lease. */
  readonly incarnation: number;
  readonly address: string | null;
  readonly hosts: readonly HostedService[];
  readonly draining: boolean;
  /** Grows by every renewal; a claimer that watched it stand still for TTL + margin may end the lease. */
  readonly renewals: number;
}

export interface ShardOwnership {
  readonly shard: ShardId;
  /** The owner's incarnation; null when nobody owns the shard. */
  readonly owner: number | null;
  /** Epoch of the last claim; 0 before the first. */
  readonly epoch: number;
  /** Highest state version ever committed in the shard. */
  readonly stateVersion: number;
}

export interface View {
  /** Grows whenever anything in the view but a renewal counter changes. */
  readonly revision: number;
  readonly members: readonly Member[];
  readonly shards: readonly ShardOwnership[];
}

export interface JoinRequest {
  readonly node: string;
  readonly address: string | null;
  /** The services that the node hosts; the shards of keyed ones are created when they are new. */
  readonly hosts: readonly HostedService[];
}

/** `ended`: a claim, a supervisor or the node itself ended this lease; it never comes back. */
export type RenewResult =
  | {
      readonly status: "renewed";
      readonly revision: number;
      /** Renewal counter of every live member, by incarnation. */
      readonly renewals: ReadonlyMap<number, number>;
      /** Present when the revision is not the one that the caller knew. */
      readonly view: View | undefined;
    }
  | { readonly status: "ended" };

export interface ClaimRequest {
  readonly incarnation: number;
  readonly shards: readonly ShardId[];
  /** Leases of others that the claimer watched stand still: each is ended if its counter is still this one. */
  readonly expired: readonly { readonly incarnation: number; readonly renewals: number }[];
}

export interface ClaimedShard {
  readonly shard: ShardId;
  /** One more than the shard's epoch before. */
  readonly epoch: number;
  readonly stateVersion: number;
  /** Timed keys at or below this instant (ms since 1970) are forgotten and refused. */
  readonly watermark: number;
  /** What callers promised about their sessions. */
  readonly floors: readonly SessionFloor[];
  /** The first number of the shard's own session that has never been given out; 1 in a new shard. */
  readonly sessionNext: number;
}

export type ClaimResult =
  | {
      readonly status: "claimed";
      /**
       * What was claimed, in ascending order. Left out is a shard that another live member owns, that the
       * claimer does not host, or that holds a newer state version than the claimer's.
       */
      readonly claimed: readonly ClaimedShard[];
      readonly view: View;
    }
  | { readonly status: "ended" };

/**
 * What the caller of a session promised: no number below `floor` is ever repeated, except those in `open`. The
 * records of the others are removed in the transaction that stores the floor, and the calls are refused. A number
 * stands for all records of its range, those of `derivedRecordId` too.
 */
export interface SessionFloor {
  readonly session: string;
  readonly floor: number;
  /** Ascending, all below `floor`. */
  readonly open: readonly number[];
}

/** The recorded reply of a command, by which a repeat is answered (guarantee G4). */
export interface CallRecord {
  /**
   * Id of the call: a hash over principal, service, key, operation and the caller's key; or `sessionRecordId`
   * of values/ids.ts for a call of a session, `derivedRecordId` for one that a durable command makes.
   */
  readonly id: string;
  /** Hash of the input, so that the same id with another input can be told. */
  readonly inputHash: string;
  /** The recorded reply, as JSON text. */
  readonly reply: string;
  /**
   * When the command finished, ms since 1970 by the owner's wall clock. Null for a call of a session: its
   * record stays until a floor passes it, however long that takes.
   */
  readonly finishedAt: number | null;
  /** For timed keys the key's own time, ms since 1970; null for opaque keys. */
  readonly keyTime: number | null;
}

/** What one batch changes in one entity. */
export interface EntityChange {
  readonly key: string;
  /** The version that must be in the store now; 0 means that there is no row. */
  readonly expectedVersion: number;
  /** The version afterwards; equal to `expectedVersion` when only records are added; 0 removes the row. */
  readonly version: number;
  /** The state version of the code that wrote `state`. */
  readonly stateVersion: number;
  /** The state as JSON text; null exactly when the row is to be absent or is left as it is. */
  readonly state: string | null;
  readonly records: readonly CallRecord[];
  /** What it does to the entity's pending work; null when nothing. */
  readonly work: EntityWork | null;
}

export interface ShardChanges {
  readonly shard: ShardId;
  readonly epoch: number;
  readonly entities: readonly EntityChange[];
  /** Floors that rose; each replaces the one that the store has for the session. */
  readonly floors: readonly SessionFloor[];
  /**
   * The next number of the shard's own session, when numbers were given out; never less than the store has. Numbers
   * and generations in this batch are below it, or below the store's when it is null.
   */
  readonly sessionNext: number | null;
  /** What happened to pending work besides; null when nothing. */
  readonly progress: ShardProgress | null;
}

/**
 * All or nothing. Shards stand in ascending order of (service, number), each once; keys, the ids of records and the
 * numbers of new items and messages once per shard; `batch.ts` says all of it as code. Checked in the order of
 * {@link CommitResult}: form, lease, epochs, numbers and watermarks, versions.
 */
export interface CommitBatch {
  readonly incarnation: number;
  readonly shards: readonly ShardChanges[];
}

export type CommitResult =
  /** Durable. `renewed`: the commit renewed the lease, from the instant at which it was sent. */
  | { readonly status: "committed"; readonly renewed: boolean }
  /** Nothing was written: the lease has ended. */
  | { readonly status: "ended" }
  /** Nothing was written: these shards are owned at another epoch. */
  | { readonly status: "fenced"; readonly shards: readonly ShardId[] }
  /**
   * Nothing was written: these entities have another version in the store, or one of their records has an id
   * that is already recorded there, or a new item or message a number that is taken, or an item that they finish is
   * not theirs or not there. Either way what the activation knew of the entity is stale.
   */
  | { readonly status: "conflict"; readonly entities: readonly { readonly shard: ShardId; readonly key: string }[] }
  /**
   * Nothing was written: the store does not take something in the batch, and would not take it later. A timed
   * record at or below its shard's watermark is such a thing: that key has been forgotten. But the record of an item
   * that its change finishes is kept then, as an opaque one: a repeat that comes so late is refused by the watermark.
   */
  | { readonly status: "refused"; readonly error: SynodError }
  /** Nothing was written: the store cannot write now (full, locked for too long). */
  | { readonly status: "failed"; readonly error: SynodError }
  /** Unknown, and the store must not be used again (an I/O error at commit): the node stops. */
  | { readonly status: "broken"; readonly error: SynodError };

export type Read =
  | { readonly kind: "entity"; readonly shard: ShardId; readonly key: string }
  | { readonly kind: "record"; readonly shard: ShardId; readonly id: string }
  /** The highest number of a session that any record of the shard belongs to. */
  | { readonly kind: "highest"; readonly shard: ShardId; readonly session: string }
  /** The names of one entity's timers, ascending by their UTF-8 bytes, at most `limit`; of damaged ones too. */
  | { readonly kind: "timersOf"; readonly shard: ShardId; readonly key: string; readonly limit: number }
  | PageRead;

/** `after` is the `next` of the page before, 0 or null for the first; at most `limit` rows, which is at least 1. */
export type PageRead =
  /** The items of one entity with their journals, ascending by number. */
  | {
      readonly kind: "inboxOf";
      readonly shard: ShardId;
      readonly key: string;
      readonly after: number;
      readonly limit: number;
    }
  /** Items without their journals, or messages, ascending by number. */
  | { readonly kind: "inbox" | "outbox"; readonly shard: ShardId; readonly after: number; readonly limit: number }
  /** Ascending by due time, then by the UTF-8 bytes of key and name. */
  | { readonly kind: "timers"; readonly shard: ShardId; readonly after: TimerPlace | null; readonly limit: number };

export interface EntityRow {
  readonly version: number;
  readonly stateVersion: number;
  readonly state: string;
}

export type ReadResult =
  | { readonly kind: "entity"; readonly row: EntityRow | null }
  | { readonly kind: "record"; readonly record: CallRecord | null }
  /** 0 when the session has no record here. */
  | { readonly kind: "highest"; readonly number: number }
  | { readonly kind: "timersOf"; readonly names: readonly string[] }
  | { readonly kind: "inboxOf"; readonly page: Page<JournaledItem, number> }
  | { readonly kind: "inbox"; readonly page: Page<InboxItem, number> }
  | { readonly kind: "outbox"; readonly page: Page<OutboxMessage, number> }
  | { readonly kind: "timers"; readonly page: Page<TimerRow, TimerPlace> }
  /** The row is there and does not match its checksum; of a page nothing can be read at all. */
  | { readonly kind: "corrupt"; readonly error: SynodError };

/**
 * What may be forgotten in one shard. Opaque records go first, oldest first. Timed records go in the order of
 * their keys' own time, all of one instant together: while each of them is past the window or too many would
 * stay, and never beyond the cap. The watermark is the last instant that went; rows at or below it that the
 * bound left behind go with the next calls.
 */
export interface TrimRequest {
  readonly incarnation: number;
  readonly shard: ShardId;
  readonly epoch: number;
  /** Records of commands that finished before this instant (ms since 1970) are past the window. */
  readonly finishedBefore: number;
  /** The watermark may not pass this instant: a timed command that is still open is newer. */
  readonly timedCap: number;
  /** How many timed records may stay, however young. */
  readonly timedRowsMax: number;
  /** Sessions whose caller is gone for good: their floors and records go. */
  readonly endedSessions: readonly string[];
  /** How many rows with an age one call removes at the most; floors have left few of a session that has ended. */
  readonly removeMax: number;
}

export type TrimResult =
  /** `more`: the bound was reached, so that another call may find something. */
  | { readonly status: "trimmed"; readonly removed: number; readonly more: boolean; readonly watermark: number }
  | { readonly status: "fenced" };

/** An open connection to a store. All methods may run at the same time. */
export interface Store {
  readonly identity: StoreIdentity;
  /** How many commits of one node may be under way at a time, if they are of different shards; 1 when absent. */
  readonly commitLanes?: number;
  /**
   * Admits a process: a new incarnation with a first renewal. Rejects with `failed_precondition` when the store holds another
   * secret or another number of shards than when it was opened: a backup of another store was restored into it, and what this
   * connection's user believes of where keys are is void for good.
   */
  join(request: JoinRequest): Promise<{ readonly incarnation: number; readonly view: View }>;
  /** Renews a lease and returns what has changed since `knownRevision`. */
  renew(request: {
    readonly incarnation: number;
    readonly draining: boolean;
    readonly knownRevision: number;
  }): Promise<RenewResult>;
  /** Takes all shards that the caller should own, in one transaction. */
  claim(request: ClaimRequest): Promise<ClaimResult>;
  /** Gives shards up, each only if it is still owned at that epoch by that incarnation. */
  release(request: {
    readonly incarnation: number;
    readonly shards: readonly { readonly shard: ShardId; readonly epoch: number }[];
  }): Promise<void>;
  /**
   * Ends a lease and frees its shards: on leaving, by a supervisor that saw its child die, and by a node that was told that
   * its lease is no more. A store that goes on as another one (a server that was promoted) refuses what is done under the
   * leases of before, but has to keep them, because their holders may answer from memory: it knows them by the
   * incarnations that it gave out then as well.
   */
  endLease(request: { readonly node: string; readonly incarnation: number }): Promise<{ readonly ended: boolean }>;
  /** Members and owners, without renewing anything. */
  view(): Promise<View>;
  /** Reads what is durable; every commit that was answered before is seen. Answers in the order asked. */
  read(reads: readonly Read[]): Promise<readonly ReadResult[]>;
  commit(batch: CommitBatch): Promise<CommitResult>;
  trim(request: TrimRequest): Promise<TrimResult>;
  close(): Promise<void>;
}

/** Ascending order of shards, in which their rows are locked (rule S4). */
export function compareShards(a: ShardId, b: ShardId): number {
  if (a.service !== b.service) return a.service < b.service ? -1 : 1;
  return a.number - b.number;
}
