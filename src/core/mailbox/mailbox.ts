/**
 * The mailbox of one entity: who has the turn, who waits, and whose answer may leave.
 *
 * Think of a clerk at a counter with one pen. Customers queue; the clerk serves one at a time and writes
 * into a draft book, then hands each finished page to a courier who files it in the vault. The clerk does not
 * wait for the courier before serving the next customer (execution is ahead of durability), but nobody
 * leaves the building before every page that they could have read is in the vault (the exit gate).
 *
 * The mailbox decides; it never runs a handler, never stores anything, never looks at a clock. The
 * driver performs the effects in the order in which they are returned.
 */
import { invariant } from "../../errors.ts";
import { mark } from "../../values/marks.ts";

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
      /** The driver's own, given back in the effects that concern this command. */
      payload: Payload;
    }
  /** The entity's durable state is in memory. */
  | { kind: "loaded" }
  | { kind: "looked"; token: Token; answer: LookupAnswer }
  /** The handler of this attempt settled. `changed`: it leaves something to commit (state, or a record). */
  | { kind: "finished"; token: Token; attempt: number; changed: boolean }
  /** The node holds all the work that it can: this command does not run after all. */
  | { kind: "shed"; token: Token; attempt: number }
  /** The handler of this attempt wants to call somebody: a call leaves through the exit gate too. */
  | { kind: "depart"; token: Token; attempt: number; departure: number }
  /** Everything up to this position is durable. */
  | { kind: "durable"; position: number }
  /**
   * The changes up to `through` are certainly not durable and will not be. `culprit`: the store does not take
   * this data (try each command alone); otherwise it could not write at all (all of them fail).
   */
  | { kind: "rolledBack"; through: number; culprit: boolean }
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
  /** The activation is over with a commit of unknown outcome under way. */
  | "dropped-unknown";

type Arrival<Payload> = Extract<MailboxInput<Payload>, { kind: "arrive" }>;

interface Ticket<Payload> {
  readonly payload: Payload;
  /** The first caller; names the ticket. */
  readonly token: Token;
  readonly id: string | null;
  readonly inputHash: string | null;
  /** Callers who wait for this command: the first one and copies that joined. Empty: all have gone. */
  waiters: Token[];
  /** Arrivals with the same id and another input: until the lookup ends, nobody knows which input is the first. */
  rivals: Arrival<Payload>[];
  stage: "looking" | "waiting" | "running" | "executed";
  attempt: number;
  /** Run with nothing undurable around, so that a refused change has one author. */
  alone: boolean;
  changed: boolean;
  /** The last change that this command could have seen, its own included. */
  position: number;
  departures: number[];
}

export interface MailboxOptions {
  /** Commands that may wait for the turn. */
  readonly mailboxLengthMax: number;
}

export class Mailbox<Payload> {
  readonly #options: MailboxOptions;
  #phase: "loading" | "active" | "dropped" = "loading";
  /** Every open ticket by the token of each of its waiters. */
  readonly #byToken = new Map<Token, Ticket<Payload>>();
  /** Open tickets with an id: queued, running or undurable. A copy joins here. */
  readonly #byId = new Map<string, Ticket<Payload>>();
  #waiting: Ticket<Payload>[] = [];
  #running: Ticket<Payload> | null = null;
  #executed: Ticket<Payload>[] = [];
  /** Tickets whose record is being looked up, by the token that names them. */
  readonly #looking = new Map<Token, Ticket<Payload>>();
  /** Number of the last change that was executed, and of the last that is durable. */
  #position = 0;
  #durable = 0;
  #effects: MailboxEffect<Payload>[] = [];

  constructor(options: MailboxOptions) {
    this.#options = options;
  }

  /** No handler, no queue, no undurable change: only then may the entity be passivated. */
  get idle(): boolean {
    return (
      this.#running === null && this.#waiting.length === 0 && this.#executed.length === 0 && this.#looking.size === 0
    );
  }

  /** Commands that wait for the turn. */
  get queued(): number {
    return this.#waiting.length + this.#looking.size;
  }

  step(input: MailboxInput<Payload>): readonly MailboxEffect<Payload>[] {
    invariant(this.#phase !== "dropped", "a dropped mailbox takes no input");
    this.#effects = [];
    switch (input.kind) {
      case "arrive":
        this.#arrive(input);
        break;
      case "loaded":
        this.#phase = "active";
        break;
      case "looked":
        this.#looked(input.token, input.answer);
        break;
      case "finished":
        this.#finished(input.token, input.attempt, input.changed);
        break;
      case "shed":
        this.#shed(input.token, input.attempt);
        break;
      case "depart":
        this.#depart(input.token, input.attempt, input.departure);
        break;
      case "durable":
        this.#becameDurable(input.position);
        break;
      case "rolledBack":
        this.#rolledBack(input.through, input.culprit);
        break;
      case "expire":
        this.#expire(input.token);
        break;
      case "drop":
        this.#drop(input.unknownThrough);
        return this.#effects;
    }
    this.#advance();
    return this.#effects;
  }

  #arrive(arrival: Arrival<Payload>): void {
    const { token, id, inputHash } = arrival;
    const original = id === null ? undefined : this.#byId.get(id);
    if (original === undefined) {
      if (this.queued < this.#options.mailboxLengthMax) return this.#open(arrival);
      mark("mailbox full");
      this.#fail([token], "full");
      return;
    }
    if (original.inputHash === inputHash) original.waiters.push(token);
    else if (original.stage === "looking") original.rivals.push(arrival);
    else {
      mark("id with another input");
      return this.#fail([token], "mismatch");
    }
    mark("copy joins");
    this.#byToken.set(token, original);
  }

  #open({ token, id, inputHash, lookup, payload }: Arrival<Payload>): void {
    const ticket: Ticket<Payload> = {
      payload,
      token,
      id,
      inputHash,
      waiters: [token],
      rivals: [],
      stage: lookup ? "looking" : "waiting",
      attempt: 0,
      alone: false,
      changed: false,
      position: 0,
      departures: [],
    };
    this.#byToken.set(token, ticket);
    if (id !== null) this.#byId.set(id, ticket);
    if (lookup) {
      this.#looking.set(token, ticket);
      this.#effects.push({ kind: "lookup", token, payload });
    } else {
      this.#waiting.push(ticket);
    }
  }

  #looked(token: Token, answer: LookupAnswer): void {
    const ticket = this.#looking.get(token);
    if (ticket === undefined) return;
    this.#looking.delete(token);
    if (answer === "absent") {
      ticket.stage = "waiting";
      this.#waiting.push(ticket);
      const rivals = ticket.rivals.splice(0).map((rival) => rival.token);
      for (const rival of rivals) this.#byToken.delete(rival);
      return this.#fail(rivals, "mismatch");
    }
    const tokens = callersOf(ticket);
    if (answer === "found") {
      mark("recorded reply");
      this.#effects.push({ kind: "replay", tokens, payload: ticket.payload });
    } else this.#fail(tokens, answer === "failed" ? "lookup-failed" : answer);
    this.#close(ticket);
  }

  #advance(): void {
    const next = this.#waiting[0];
    if (this.#phase !== "active" || this.#running !== null || next === undefined) return;
    const alone = next.alone || this.#executed.some((ticket) => ticket.alone);
    if (alone && this.#executed.length > 0) return;
    this.#waiting.shift();
    next.stage = "running";
    next.attempt += 1;
    this.#running = next;
    this.#effects.push({ kind: "run", token: next.token, attempt: next.attempt, payload: next.payload });
  }

  /** An abandoned handler may settle later; by then its ticket is gone or has been given another attempt. */
  #runningAs(token: Token, attempt: number): Ticket<Payload> | null {
    const ticket = this.#running;
    return ticket?.token === token && ticket.attempt === attempt ? ticket : null;
  }

  #finished(token: Token, attempt: number, changed: boolean): void {
    const ticket = this.#runningAs(token, attempt);
    if (ticket === null) return;
    this.#running = null;
    // A call that the handler did not wait for never leaves, not even when the command runs again.
    ticket.departures = [];
    ticket.stage = "executed";
    ticket.changed = changed;
    if (changed) this.#position += 1;
    ticket.position = this.#position;
    if (changed) this.#effects.push({ kind: "commit", position: this.#position, payload: ticket.payload });
    if (ticket.position <= this.#durable) this.#release(ticket);
    else this.#executed.push(ticket);
  }

  #shed(token: Token, attempt: number): void {
    const ticket = this.#runningAs(token, attempt);
    if (ticket === null) return;
    this.#running = null;
    this.#fail(ticket.waiters, "shed");
    this.#close(ticket);
  }

  #depart(token: Token, attempt: number, departure: number): void {
    const ticket = this.#runningAs(token, attempt);
    if (ticket === null) return;
    // What the handler can have seen is whatever was executed before it got the turn.
    if (this.#position <= this.#durable) this.#effects.push({ kind: "departed", departure });
    else {
      mark("exit gate waits");
      ticket.departures.push(departure);
    }
  }

  #becameDurable(position: number): void {
    invariant(position <= this.#position, "only executed changes become durable");
    if (position <= this.#durable) return;
    this.#durable = position;
    let open = 0;
    while (open < this.#executed.length && this.#executed[open]!.position <= position) open += 1;
    for (const ticket of this.#executed.splice(0, open)) this.#release(ticket);
    const running = this.#running;
    if (running !== null && running.departures.length > 0 && this.#position <= position) {
      for (const departure of running.departures.splice(0)) {
        this.#effects.push({ kind: "departed", departure });
      }
    }
  }

  #release(ticket: Ticket<Payload>): void {
    const { token, waiters, payload } = ticket;
    this.#effects.push({ kind: "release", token, tokens: waiters, payload });
    this.#close(ticket);
  }

  /**
   * Everything executed after the durable position ran on a state that never was. The authors of the refused
   * changes fail, or run again one by one until the one bad change stands alone; the rest run again.
   */
  #rolledBack(through: number, culprit: boolean): void {
    const executed = this.#executed;
    this.#executed = [];
    this.#position = this.#durable;
    this.#effects.push({ kind: "restore" });
    const again: Ticket<Payload>[] = [];
    const authors = executed.filter((ticket) => ticket.changed && ticket.position <= through);
    for (const ticket of executed) {
      const author = authors.includes(ticket);
      if (author && (!culprit || authors.length === 1)) {
        this.#fail(ticket.waiters, "rolled-back");
        this.#close(ticket);
      } else if (ticket.waiters.length === 0) {
        this.#close(ticket);
      } else {
        if (author) ticket.alone = true;
        again.push(ticket);
      }
    }
    const running = this.#running;
    if (running !== null) {
      this.#running = null;
      this.#effects.push({ kind: "abandon" });
      running.departures = [];
      again.push(running);
    }
    if (again.length > 0) mark("runs again");
    for (const ticket of again) ticket.stage = "waiting";
    this.#waiting = [...again, ...this.#waiting];
  }

  #expire(token: Token): void {
    const ticket = this.#byToken.get(token);
    if (ticket === undefined) return;
    this.#byToken.delete(token);
    if (ticket.rivals.some((rival) => rival.token === token)) {
      ticket.rivals = ticket.rivals.filter((rival) => rival.token !== token);
      return this.#fail([token], "expired");
    }
    ticket.waiters = ticket.waiters.filter((waiter) => waiter !== token);
    const goesOn = ticket.waiters.length > 0 || ticket.stage === "executed";
    this.#fail([token], goesOn ? "expired-unknown" : "expired");
    if (goesOn) return;
    this.#looking.delete(ticket.token);
    if (ticket.stage === "waiting") this.#waiting = this.#waiting.filter((other) => other !== ticket);
    if (ticket.stage === "running") {
      mark("handler abandoned");
      this.#running = null;
      this.#effects.push({ kind: "abandon" });
    }
    this.#close(ticket);
    const [successor, ...others] = ticket.rivals;
    if (successor !== undefined) this.#open(successor);
    for (const other of others) this.#arrive(other);
  }

  #drop(unknownThrough: number): void {
    const running = this.#running;
    if (running !== null) this.#effects.push({ kind: "abandon" });
    for (const ticket of new Set(this.#byToken.values())) {
      const unknown = ticket.stage === "executed" && ticket.changed && ticket.position <= unknownThrough;
      if (unknown) mark("undurable dropped");
      this.#fail(callersOf(ticket), unknown ? "dropped-unknown" : "dropped");
    }
    this.#byToken.clear();
    this.#byId.clear();
    this.#waiting = [];
    this.#executed = [];
    this.#running = null;
    this.#looking.clear();
    this.#phase = "dropped";
  }

  #close(ticket: Ticket<Payload>): void {
    for (const token of callersOf(ticket)) this.#byToken.delete(token);
    if (ticket.id !== null) this.#byId.delete(ticket.id);
  }

  #fail(tokens: readonly Token[], reason: FailReason): void {
    if (tokens.length > 0) this.#effects.push({ kind: "fail", tokens, reason });
  }
}

function callersOf<Payload>({ waiters, rivals }: Ticket<Payload>): Token[] {
  return [...waiters, ...rivals.map(({ token }) => token)];
}
