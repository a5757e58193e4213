/** Every bound of a node, with its unit last (guarantee G6). */

import type { ScheduleLimits } from "../core/durable/schedule.ts";
import type { LoadLimits } from "../core/load/limits.ts";

export interface NodeLimits {
  /** How long a lease lasts after a renewal. */
  readonly leaseTtlMs: number;
  /** What clocks and pauses may be off by; a holder stops this much early, a claimer waits this much longer. */
  readonly leaseMarginMs: number;
  /** Commands that may wait for one entity's turn. */
  readonly mailboxLengthMax: number;
  /** Calls of all kinds that a node has accepted and not answered. */
  readonly callsInFlightMax: number;
  /** Bytes of inputs that a node holds for calls in flight. */
  readonly inputBytesInFlightMax: number;
  /** Commands in one store commit. */
  readonly batchCommandsMax: number;
  /** Bytes of state and replies in one store commit. */
  readonly batchBytesMax: number;
  /** Bytes of executed, not yet durable work; no handler starts above it. */
  readonly undurableBytesMax: number;
  /** State of one entity, as JSON text. */
  readonly stateBytesMax: number;
  /** Reply of one operation, as JSON text. */
  readonly replyBytesMax: number;
  /** Memory for active entities; idle ones beyond it are passivated. */
  readonly entityMemoryBytesMax: number;
  /** Memory beyond that, for entities that an admitted chain of calls needs: so what is begun can be finished. */
  readonly chainMemoryBytesMax: number;
  /** Replies kept in memory to answer repeats without the store. */
  readonly recordCacheLengthMax: number;
  /**
   * Records of calls of sessions that one shard adds before the floors that settle them are written; where more than four
   * floors wait, a quarter of it for each. What is not written removes nothing yet, and a later owner finds the record where
   * this one refuses the call.
   */
  readonly recordsPerFloorMax: number;
  /** How long recorded replies of outside callers are kept. */
  readonly retentionMs: number;
  /** How often each shard is looked at for records past the window. */
  readonly trimIntervalMs: number;
  /** Timed records that one shard keeps, however young. */
  readonly timedRecordsPerShardMax: number;
  /** A timed record whose key is younger than this stays even past that bound: its caller may still be retrying. */
  readonly timedRecordAgeMinMs: number;
  /** Rows removed by one trim. */
  readonly trimRowsMax: number;
  /** How far ahead of this node's wall clock a timed key may be. */
  readonly timedKeyAheadMaxMs: number;
  /** The timeout of a call that asks for none. */
  readonly timeoutDefaultMs: number;
  /** The longest timeout that a call may ask for. */
  readonly timeoutMaxMs: number;
  /** Shards that are handed over at a time. */
  readonly handoffsMax: number;
  /** How long a shard that is handed over waits for what it admitted; handlers are abandoned after that. */
  readonly handoffDrainMs: number;
  /** How long a call from another node waits here for a shard that this node is about to own. */
  readonly ownershipWaitMs: number;
  /** On a start, how long to wait for the expected number of members before shards are claimed. */
  readonly expectedMembersWaitMs: number;
  /** How often a call may be cut by a node that goes away in the middle of it before its caller is told. */
  readonly cutsMax: number;
  /** Calls that one handler may have waiting at once. */
  readonly callsPerHandlerMax: number;
  /** Durable commands of one entity that are not finished, parked ones included. */
  readonly inboxLengthMax: number;
  /** How long one attempt of a durable command may take. */
  readonly attemptTimeoutMs: number;
  /** How often an attempt makes one call whose callee waits, before the attempt ends. */
  readonly callTriesMax: number;
  /** The longest wait before the second of these tries, and before any. */
  readonly callBackoffBaseMs: number;
  readonly callBackoffMaxMs: number;
  /** Open numbers that the floor of a shard's session names. */
  readonly shardOpenLengthMax: number;
  /** Messages and timers that one command leaves behind. */
  readonly sendsPerCommandMax: number;
  /** Input of one message or timer, as JSON text. */
  readonly messageBytesMax: number;
  /** Messages of one shard that are not delivered, parked ones included. */
  readonly outboxLengthMax: number;
  /** Characters of inputs of waiting messages that one shard keeps in memory; the others are read in their turn. */
  readonly outboxTextLengthMax: number;
  /** Messages of one shard that are under way at a time. */
  readonly deliveriesPerShardMax: number;
  /** How long one attempt to deliver a message, or to run a timer's command, may take. */
  readonly deliveryTimeoutMs: number;
  /** Attempts on which the receiver fails before a message, or a timer, is parked. */
  readonly deliveryAttemptsMax: number;
  /** The longest wait before the second attempt, and before any. */
  readonly deliveryBackoffBaseMs: number;
  readonly deliveryBackoffMaxMs: number;
  /** Timers of one entity, and messages of it that leave later. */
  readonly timersPerEntityMax: number;
  /** Timers of one shard that are in memory before they are due: the earliest. */
  readonly timersInMemoryMax: number;
  /** Characters of their inputs. */
  readonly timersInputLengthMax: number;
  /** Timers of one shard that are due and could not run yet, in memory. */
  readonly timersOverdueMax: number;
  /** Timers of one shard whose commands run at a time. */
  readonly timersFiringMax: number;
  /** How long a node waits without a look at its wall clock, which may have jumped, while timers are set. */
  readonly timersLookMs: number;
  /** When a durable command that did not finish is tried again. */
  readonly schedule: ScheduleLimits;
  /** Those of load control that are not as they are by default. */
  readonly load: Partial<LoadLimits>;
}

const endless = 1e6;

/** Limits with which everybody gets in and nobody is turned away before his deadline: to see what load control is for. */
export const withoutLoadControl: Partial<NodeLimits> = {
  callsInFlightMax: endless,
  mailboxLengthMax: endless,
  load: {
    ...{ slotsFirst: endless, slotsMin: endless, slotsMax: endless, queueLengthMax: endless },
    ...{ burstWaitMaxMs: 1e9, burstPart: 1e6, standingWaitMs: 1e9, waitPartMax: 1e9 },
  },
};

export const defaultLimits: NodeLimits = {
  leaseTtlMs: 2_000,
  leaseMarginMs: 200,
  mailboxLengthMax: 1_000,
  callsInFlightMax: 10_000,
  inputBytesInFlightMax: 64 * 1024 * 1024,
  batchCommandsMax: 1_000,
  batchBytesMax: 8 * 1024 * 1024,
  undurableBytesMax: 32 * 1024 * 1024,
  stateBytesMax: 256 * 1024,
  replyBytesMax: 1024 * 1024,
  entityMemoryBytesMax: 80 * 1024 * 1024,
  chainMemoryBytesMax: 64 * 1024 * 1024,
  recordCacheLengthMax: 20_000,
  recordsPerFloorMax: 32,
  retentionMs: 60 * 60 * 1_000,
  trimIntervalMs: 60_000,
  timedRecordsPerShardMax: 100_000,
  timedRecordAgeMinMs: 60_000,
  trimRowsMax: 5_000,
  timedKeyAheadMaxMs: 5 * 60 * 1_000,
  timeoutDefaultMs: 10_000,
  timeoutMaxMs: 5 * 60 * 1_000,
  handoffsMax: 16,
  handoffDrainMs: 2_000,
  ownershipWaitMs: 1_000,
  expectedMembersWaitMs: 1_000,
  cutsMax: 2,
  callsPerHandlerMax: 1_000,
  inboxLengthMax: 100,
  attemptTimeoutMs: 5 * 60 * 1_000,
  callTriesMax: 10,
  callBackoffBaseMs: 50,
  callBackoffMaxMs: 5_000,
  shardOpenLengthMax: 64,
  sendsPerCommandMax: 1_000,
  messageBytesMax: 256 * 1024,
  outboxLengthMax: 20_000,
  outboxTextLengthMax: 1024 * 1024,
  deliveriesPerShardMax: 256,
  deliveryTimeoutMs: 10_000,
  deliveryAttemptsMax: 12,
  deliveryBackoffBaseMs: 50,
  deliveryBackoffMaxMs: 15_000,
  timersPerEntityMax: 1_000,
  timersInMemoryMax: 1_000,
  timersInputLengthMax: 1024 * 1024,
  timersOverdueMax: 10_000,
  timersFiringMax: 16,
  timersLookMs: 10_000,
  schedule: { attemptsMax: 16, ageMaxMs: 7 * 24 * 60 * 60 * 1_000, backoffBaseMs: 100, backoffMaxMs: 60_000 },
  load: {},
};
