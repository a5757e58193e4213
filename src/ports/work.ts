/**
 * Pending work of a shard: what was promised and is not finished. Durable commands that were accepted (inbox), messages
 * that were sent (outbox), timers that were set. It rests with the shard's entities, is written by the shard's owner
 * under its epoch, and comes and goes in the commit of the change that it belongs to (guarantee G5).
 *
 * Numbers come from the shard's own session (`SERVICE/NUMBER`) and are never used twice, so that a receiver can tell
 * a repeat from something new, and an owner a timer from an earlier one of its name.
 */
import type { SynodError } from "../errors.ts";

/** A durable command that was accepted: it will be repeated until it is finished, or parked. */
export interface InboxItem {
  /** In its shard's session; the calls that it makes belong to this number. */
  readonly number: number;
  readonly key: string;
  readonly operation: string;
  /** JSON text; null for an operation without input. */
  readonly input: string | null;
  /** By which repeats find it; its outcome is recorded under this id. */
  readonly id: string;
  readonly inputHash: string;
  /** For timed keys the key's own time, ms since 1970. */
  readonly keyTime: number | null;
  /** When the id belongs to a caller's session. */
  readonly call: { readonly session: string; readonly number: number } | null;
  readonly principal: string;
  readonly request: string;
  readonly traceparent: string | null;
  /** Ms since 1970: `ctx.now` at every attempt. */
  readonly acceptedAt: number;
  /** Counted durably before each starts; acceptance is the first. */
  readonly attempts: number;
  /** Why it is parked, as JSON text `{ code, message, at, thrown? }`; null when it is not. */
  readonly parked: string | null;
  /** Whether it is parked after it may have made a call, and so keeps its entity's turn. */
  readonly holdsTurn: boolean;
}

/** A call that an item has issued, or a step of it. */
export interface JournalEntry {
  /** Unique within its item. */
  readonly id: string;
  readonly name: string;
  readonly inputHash: string;
  /** What is recorded of it; null when nothing is yet, or when the record of the one who was called answers. */
  readonly outcome: string | null;
}

/** An item with all that it has issued, in the order in which it was first written. */
export interface JournaledItem extends InboxItem {
  readonly journal: readonly JournalEntry[];
}

/** A message that was sent and is not settled. */
export interface OutboxMessage {
  /** In the shard's session: the id by which the receiver knows it again. */
  readonly number: number;
  /** The entity that sent it. */
  readonly key: string;
  readonly service: string;
  /** The receiver's key; null for a service without keys. */
  readonly target: string | null;
  readonly operation: string;
  /** JSON text; null for an operation without input. */
  readonly input: string | null;
  readonly principal: string;
  readonly request: string;
  readonly traceparent: string | null;
  /** Ms since 1970. */
  readonly sentAt: number;
  readonly attempts: number;
  /** As for an item. */
  readonly parked: string | null;
}

/** A named timer of an entity, or a send that is delayed (then `service` is not null). One that is being set was never tried. */
export interface TimerRow {
  readonly key: string;
  /** Unique per entity; a delayed send has a name of its own. */
  readonly name: string;
  /** From the shard's session too: tells a timer from an earlier one of its name. */
  readonly generation: number;
  /** Ms since 1970, by the owner's wall clock. */
  readonly dueAt: number;
  readonly service: string | null;
  readonly target: string | null;
  readonly operation: string;
  readonly input: string | null;
  readonly principal: string;
  readonly request: string;
  readonly traceparent: string | null;
  /** Tries that were counted, by {@link TimerCount}. */
  readonly attempts: number;
}

/**
 * What a change of an entity does to the pending work of that entity, in the same commit and under the same check of
 * its version. All of it has the entity's key. Lists, because one change of a batch stands for several commands; what
 * a batch both accepts and finishes is in neither list.
 */
export interface EntityWork {
  readonly accepted: readonly InboxItem[];
  /**
   * Numbers of items whose rows and journals go, because their outcomes are among the change's records. An item that
   * is not there is a conflict: somebody else has finished it, or dropped it.
   */
  readonly finished: readonly number[];
  readonly sent: readonly OutboxMessage[];
  /** Each replaces the timer of its name, if there is one. Each name once, here or in `timersCleared`. */
  readonly timersSet: readonly TimerRow[];
  /** Names; nothing happens when there is no such timer. */
  readonly timersCleared: readonly string[];
}

/** How far an item has come; replaces what the store knows of it, and adds to its journal. */
export interface ItemProgress {
  readonly number: number;
  readonly attempts: number;
  readonly parked: string | null;
  readonly holdsTurn: boolean;
  /** Added, or put in the place of the entry with that id. */
  readonly journal: readonly JournalEntry[];
}

/** How far a message has come. */
export interface MessageProgress {
  readonly number: number;
  readonly attempts: number;
  readonly parked: string | null;
}

/**
 * A timer turns into a message, both or neither: the timer's row goes if it still has that generation, and the message
 * comes if that row went. So what is set or cleared first wins, and nothing is sent twice.
 */
export interface TimerRelease {
  readonly key: string;
  readonly name: string;
  readonly generation: number;
  readonly message: OutboxMessage;
}

/** How often a timer was tried; passed over unless it still has that generation. Setting or clearing it begins anew. */
export interface TimerCount {
  readonly key: string;
  readonly name: string;
  readonly generation: number;
  readonly attempts: number;
}

/**
 * What happened to a shard's pending work without a change of an entity. Checked by the shard's epoch alone, and
 * applied after the batch's changes of entities. What is not there any more is passed over: it was finished, settled
 * or dropped in a commit before, or never came to be.
 */
export interface ShardProgress {
  /** Each number once. */
  readonly items: readonly ItemProgress[];
  /** Rows and journals go, without an outcome. */
  readonly itemsDropped: readonly number[];
  /** Each number once. */
  readonly messages: readonly MessageProgress[];
  /** Delivered, or dropped: the rows go. Only after that may their numbers be promised never to be repeated. */
  readonly messagesSettled: readonly number[];
  /** Each timer once. */
  readonly timersCounted: readonly TimerCount[];
  readonly released: readonly TimerRelease[];
}

/** Where a timer stands in the order in which timers are read. */
export interface TimerPlace {
  readonly dueAt: number;
  readonly key: string;
  readonly name: string;
}

/**
 * Rows in their order, a bounded number of them. A row that does not match its checksum is told by its place, so that
 * it harms none of its neighbours.
 */
export interface Page<Row, Place> {
  readonly rows: readonly Row[];
  readonly damaged: readonly { readonly at: Place; readonly error: SynodError }[];
  /** The `after` of the next page; null when there is nothing behind this one. */
  readonly next: Place | null;
}
