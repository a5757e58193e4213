/**
 * What is said to a mailbox and what it says: the inputs and effects of `mailbox.ts`, whose loop is written out in
 * `core/README.md`.
 */

/** A caller's place in the mailbox; the driver's own number for it. */
export type Token = number;

export type MailboxInput<Payload> =
  /** A command for this entity. With an id, `lookup` says whether the store may hold its record. */
  | {
      kind: "arrive";
      token: Token;
      id: string | null;
      inputHash: string | null;
      lookup: boolean;
      /** What the caller waits for; the acceptance of a command that is not durable is its outcome. */
      until: "acceptance" | "outcome";
      /** The driver's own, given back in the effects that concern this command. */
      payload: Payload;
    }
  /**
   * Before `loaded`: an item that the entity's inbox holds. `turn`: it kept the turn when it was last in memory, and
   * `waits` between two attempts or is `parked`; otherwise (null) it waits for the turn ahead of all who come.
   * Nobody waits for it yet. After `loaded`: an operator had a parked one tried again, with `turn` null.
   */
  | {
      kind: "found";
      token: Token;
      id: string;
      inputHash: string;
      turn: "waits" | "parked" | null;
      payload: Payload;
    }
  /** The entity's durable state is in memory. */
  | { kind: "loaded" }
  | { kind: "looked"; token: Token; answer: LookupAnswer }
  /** The handler of this attempt settled. `changed`: it leaves something to commit (state, or a record). */
  | { kind: "finished"; token: Token; attempt: number; changed: boolean }
  /** The command of this attempt is durable: it goes into the inbox before its handler starts. */
  | { kind: "accepted"; token: Token; attempt: number }
  /** This attempt of a durable command is over, and it is not finished: it keeps the turn between attempts. */
  | { kind: "paused"; token: Token; attempt: number }
  /** The next attempt of a paused command is due; or an operator had a parked one tried again. */
  | { kind: "resumed"; token: Token }
  /** A paused command is given up until an operator decides, durably. `holdsTurn`: it may have made a call. */
  | { kind: "parked"; token: Token; holdsTurn: boolean }
  /** An operator took a paused or parked command out of the inbox, durably. */
  | { kind: "removed"; token: Token }
  /**
   * The command of this attempt does not run after all: the node holds all the work that it can (`shed`), or durable
   * commands do not start here any more (`dropped`).
   */
  | { kind: "shed"; token: Token; attempt: number; reason: "shed" | "dropped" }
  /** The handler of this attempt wants to call somebody: a call leaves through the exit gate too. */
  | { kind: "depart"; token: Token; attempt: number; departure: number }
  /** Everything up to this position is durable. */
  | { kind: "durable"; position: number }
  /**
   * The changes up to `through` are certainly not durable and will not be. `culprit`: the store does not take
   * this data (try each command alone); otherwise it could not write at all (all of them fail).
   */
  | { kind: "rolledBack"; through: number; culprit: boolean }
  /** The entity moves to another node: what can be finished is, and accepted work goes on over there. */
  | { kind: "leave" }
  /** Nobody waits for this token any more: its deadline has passed, or its caller has gone. */
  | { kind: "expire"; token: Token }
  /** This activation is over. Positions up to `unknownThrough` were in a commit of unknown outcome. */
  | { kind: "drop"; unknownThrough: number };

/**
 * What became of a lookup: the record is there; the id is new; the store could not say; the record is there and
 * cannot be read; or the id is so old that its record may have been removed, so that it must never be executed.
 */
export type LookupAnswer = "found" | "absent" | "failed" | "damaged" | "forgotten";

export type MailboxEffect<Payload> =
  /** Ask the store for the record of this call, then say `looked`. */
  | { kind: "lookup"; token: Token; payload: Payload }
  /** The record answers these callers: with its reply whoever gave its input, the others with a mismatch. */
  | { kind: "replay"; tokens: readonly Token[]; payload: Payload }
  /** Give this command the turn: run its handler on the state that the last finished command left. */
  | { kind: "run"; token: Token; attempt: number; payload: Payload }
  /** Revoke the handler's context and drop its draft: its turn is over. */
  | { kind: "abandon" }
  /** Hand the acceptance of this command to the committer under this position. */
  | { kind: "enter"; position: number; payload: Payload }
  /** These callers waited for the acceptance, which is durable. */
  | { kind: "accept"; tokens: readonly Token[]; payload: Payload }
  /**
   * The result of this durable command is certainly not written: it is paused, with the turn. `blame`: the store does
   * not take what it left.
   */
  | { kind: "suspend"; token: Token; payload: Payload; blame: boolean }
  /** Hand the change of this command to the committer under this position. */
  | { kind: "commit"; position: number; payload: Payload }
  /** Exit gate open: all that this answer could have seen is durable. It goes to all these callers. */
  | { kind: "release"; token: Token; tokens: readonly Token[]; payload: Payload }
  /** Exit gate open for an outgoing call. */
  | { kind: "departed"; departure: number }
  /** Memory goes back to the durable state before anything else runs. */
  | { kind: "restore" }
  /** These callers get no answer from a handler. */
  | { kind: "fail"; tokens: readonly Token[]; reason: FailReason };

export type FailReason =
  /** The queue is at its bound. Not happened. */
  | "full"
  /** A durable command keeps the turn between its attempts, or is parked with it. Not happened. */
  | "blocked"
  /** The durable command is parked: it goes on when an operator says so. */
  | "parked"
  /** An operator dropped the durable command. Whatever it has done stays done. */
  | "removed"
  /** It had the turn and was not run, because the node holds all the work that it can. Not happened. */
  | "shed"
  /** The same id came with another input. Not happened. */
  | "mismatch"
  /** Nobody waits any more, and it certainly did not happen. */
  | "expired"
  /** Nobody waits any more, and it may still happen. */
  | "expired-unknown"
  /** The store could not say whether the id is known. Not happened, as far as this attempt goes. */
  | "lookup-failed"
  /** There is a record, and nobody can read it: it happened, and what it answered is lost. */
  | "damaged"
  /** The id is older than what is remembered: whether it happened once cannot be said any more. */
  | "forgotten"
  /** Rolled back: the store could not take its change. Not happened. */
  | "rolled-back"
  /** The activation is over; not happened. */
  | "dropped"
  /** The activation is over: a commit of unknown outcome is under way, or the command goes on elsewhere. */
  | "dropped-unknown";
