/**
 * The mailbox of one entity: who has the turn, who waits, and whose answer may leave.
 *
 * Think of a clerk at a counter with one pen. Customers queue; the clerk serves one at a time and writes
 * into a draft book, then hands each finished page to a courier who files it in the vault. The clerk does not
 * wait for the courier before serving the next customer (execution is ahead of durability), but nobody
 * leaves the building before every page that they could have read is in the vault (the exit gate).
 *
 * A durable command is a customer with a stamped ticket: once it is stamped (accepted, durably), the customer may
 * leave, and the clerk deals with it until it is done. If that has to wait, the counter stays taken, and
 * everybody else is sent away with the number of that ticket.
 *
 * The mailbox decides; it never runs a handler, never stores anything, never looks at a clock. The
 * driver performs the effects in the order in which they are returned.
 */
import { invariant } from "../../errors.ts";
import { added } from "../../values/added.ts";
import { mark } from "../../values/marks.ts";
import { SmallMap } from "../../values/small-map.ts";
import type { FailReason, LookupAnswer, MailboxEffect, MailboxInput, Token } from "./messages.ts";
import {
  type Arrival,
  beImpatient,
  byAcceptance,
  callersOf,
  isAuthor,
  newTicket,
  none,
  type Ticket,
  takeImpatient,
  withoutCaller,
} from "./ticket.ts";

export interface MailboxOptions {
  /** Commands that may wait for the turn. */
  readonly mailboxLengthMax: number;
}

export class Mailbox<Payload> {
  readonly #options: MailboxOptions;
  #phase: "loading" | "active" | "leaving" | "dropped" = "loading";
  /** Every open ticket by the token of each of its waiters. */
  readonly #byToken = new SmallMap<Token, Ticket<Payload>>();
  /** Open tickets with an id: queued, running or undurable. A copy joins here. */
  readonly #byId = new SmallMap<string, Ticket<Payload>>();
  #waiting: Ticket<Payload>[] = [];
  #running: Ticket<Payload> | null = null;
  /** The accepted command that keeps the turn without running. */
  #holder: Ticket<Payload> | null = null;
  #executed: Ticket<Payload>[] = [];
  /** Tickets whose record is being looked up, by the token that names them. */
  readonly #looking = new SmallMap<Token, Ticket<Payload>>();
  /** Number of the last change that was executed, and of the last that is durable. */
  #position = 0;
  #durable = 0;
  /** Of the step under way: most mailboxes are at rest, and keep nothing of the last one. */
  #effects: MailboxEffect<Payload>[] = none;

  constructor(options: MailboxOptions) {
    this.#options = options;
  }

  /** No handler, no queue, no undurable change: only then may the entity be passivated. */
  get idle(): boolean {
    if (this.#running !== null || this.#holder?.stage === "paused") return false;
    return this.#waiting.length === 0 && this.#executed.length === 0 && this.#looking.size === 0;
  }

  /** Commands that wait for the turn. */
  get queued(): number {
    return this.#waiting.length + this.#looking.size;
  }

  step(input: MailboxInput<Payload>): readonly MailboxEffect<Payload>[] {
    invariant(this.#phase !== "dropped", "a dropped mailbox takes no input");
    this.#take(input);
    if (input.kind !== "drop") this.#advance();
    const effects = this.#effects;
    this.#effects = none;
    return effects;
  }

  #emit(effect: MailboxEffect<Payload>): void {
    this.#effects = added(this.#effects, effect);
  }

  #take(input: MailboxInput<Payload>): void {
    switch (input.kind) {
      case "arrive":
        return this.#arrive(input);
      case "found":
        return this.#found(input);
      case "loaded":
        this.#phase = "active";
        return;
      case "looked":
        return this.#looked(input.token, input.answer);
      case "accepted":
        return this.#accepted(input.token, input.attempt);
      case "paused":
        return this.#paused(input.token, input.attempt);
      case "resumed":
        return this.#resumed(input.token);
      case "parked":
        return this.#parked(input.token, input.holdsTurn);
      case "removed":
        return this.#removed(input.token);
      case "finished":
        return this.#finished(input.token, input.attempt, input.changed);
      case "shed":
        return this.#shed(input.token, input.attempt, input.reason);
      case "depart":
        return this.#depart(input.token, input.attempt, input.departure);
      case "durable":
        return this.#becameDurable(input.position);
      case "rolledBack":
        return this.#rolledBack(input.through, input.culprit);
      case "leave":
        return this.#leave();
      case "expire":
        return this.#expire(input.token);
      case "drop":
        return this.#drop(input.unknownThrough);
    }
  }

  /** Whether a command of this id is in the mailbox. */
  knows(id: string): boolean {
    return this.#byId.has(id);
  }

  #arrive(arrival: Arrival<Payload>): void {
    const { token, id, inputHash } = arrival;
    const original = id === null ? undefined : this.#byId.get(id);
    if (original === undefined) {
      if (this.queued < this.#options.mailboxLengthMax) return this.#open(arrival);
      mark("mailbox full");
      return this.#fail([token], "full");
    }
    if (original.inputHash === inputHash) return this.#join(original, token, arrival.until);
    if (original.stage !== "looking") return this.#fail([token], "mismatch");
    mark("id with another input");
    original.rivals = added(original.rivals, arrival);
    this.#byToken.set(token, original);
  }

  /** A copy of a command that is still open. */
  #join(ticket: Ticket<Payload>, token: Token, until: Arrival<Payload>["until"]): void {
    // Also of one that is parked: what it asks for has happened, and stands in the inbox for an operator to see.
    if (until === "acceptance" && this.#isInInbox(ticket)) {
      this.#emit({ kind: "accept", tokens: [token], payload: ticket.payload });
      return;
    }
    if (ticket.stage === "parked") return this.#fail([token], "parked");
    mark("copy joins");
    ticket.waiters.push(token);
    if (until === "acceptance") beImpatient(ticket, token);
    this.#byToken.set(token, ticket);
  }

  #open({ token, id, inputHash, lookup, until, payload }: Arrival<Payload>): void {
    const ticket = newTicket({ token, id, inputHash, payload }, [token]);
    if (until === "acceptance") beImpatient(ticket, token);
    if (lookup) ticket.stage = "looking";
    this.#byToken.set(token, ticket);
    if (id !== null) this.#byId.set(id, ticket);
    if (lookup) {
      this.#looking.set(token, ticket);
      this.#emit({ kind: "lookup", token, payload });
    } else this.#waiting = added(this.#waiting, ticket);
  }

  #found({ token, id, inputHash, turn, payload }: Extract<MailboxInput<Payload>, { kind: "found" }>): void {
    const early = this.#byId.get(id);
    if (early !== undefined) this.#withdraw(early);
    const ticket = newTicket({ token, id, inputHash, payload }, []);
    ticket.accepted = 0;
    this.#byId.set(id, ticket);
    if (turn === null) {
      const firstUnaccepted = this.#waiting.findIndex(({ accepted }) => accepted === null);
      this.#waiting.splice(firstUnaccepted < 0 ? this.#waiting.length : firstUnaccepted, 0, ticket);
    } else {
      invariant(this.#holder === null && this.#running === null, "one command at a time keeps an entity's turn");
      ticket.stage = turn === "waits" ? "paused" : "parked";
      this.#holder = ticket;
    }
    if (early === undefined) return;
    // Copies that came before the inbox was known.
    const joins = early.inputHash === inputHash;
    if (!joins) this.#fail(early.waiters, "mismatch");
    for (const waiter of joins ? early.waiters : []) {
      this.#join(ticket, waiter, early.impatient?.has(waiter) ? "acceptance" : "outcome");
    }
    for (const rival of early.rivals) this.#arrive(rival);
  }

  /** Takes a command that has not run out of the mailbox, without a word to its callers. */
  #withdraw(ticket: Ticket<Payload>): void {
    invariant(ticket.stage === "looking" || ticket.stage === "waiting", "what was found in the inbox is not run twice");
    this.#looking.delete(ticket.token);
    this.#waiting = this.#waiting.filter((other) => other !== ticket);
    this.#close(ticket);
  }

  #looked(token: Token, answer: LookupAnswer): void {
    const ticket = this.#looking.get(token);
    if (ticket === undefined) return;
    this.#looking.delete(token);
    if (answer === "absent") {
      ticket.stage = "waiting";
      this.#waiting.push(ticket);
      const rivals = ticket.rivals.map((rival) => rival.token);
      ticket.rivals = none;
      for (const rival of rivals) this.#byToken.delete(rival);
      return this.#fail(rivals, "mismatch");
    }
    const tokens = callersOf(ticket);
    if (answer === "found") mark("recorded reply");
    if (answer === "found") this.#emit({ kind: "replay", tokens, payload: ticket.payload });
    else this.#fail(tokens, answer === "failed" ? "lookup-failed" : answer);
    this.#close(ticket);
  }

  #advance(): void {
    if (this.#holder !== null) return this.#sendAway();
    const next = this.#waiting[0];
    if (this.#phase === "loading" || this.#running !== null || next === undefined) return;
    const alone = next.alone || this.#executed.some((ticket) => ticket.alone);
    if (alone && this.#executed.length > 0) return;
    this.#waiting.shift();
    this.#run(next);
  }

  #run(ticket: Ticket<Payload>): void {
    ticket.stage = "running";
    ticket.attempt += 1;
    this.#running = ticket;
    this.#emit({ kind: "run", token: ticket.token, attempt: ticket.attempt, payload: ticket.payload });
  }

  /** While the turn is kept, nobody waits for it in vain. */
  #sendAway(): void {
    const [kept, blocked] = byAcceptance(this.#waiting);
    this.#waiting = kept;
    const reason = this.#phase === "leaving" ? "dropped" : "blocked";
    for (const ticket of blocked) this.#end(ticket, reason);
  }

  #accepted(token: Token, attempt: number): void {
    const ticket = this.#runningAs(token, attempt);
    if (ticket === null) return;
    invariant(ticket.accepted === null, "a command is accepted once");
    this.#position += 1;
    ticket.accepted = this.#position;
    this.#emit({ kind: "enter", position: this.#position, payload: ticket.payload });
  }

  #paused(token: Token, attempt: number): void {
    const ticket = this.#runningAs(token, attempt);
    if (ticket === null) return;
    invariant(ticket.accepted !== null, "only what was accepted keeps the turn");
    this.#running = null;
    this.#hold(ticket);
  }

  #hold(ticket: Ticket<Payload>): void {
    ticket.departures = none;
    ticket.stage = "paused";
    this.#holder = ticket;
  }

  /** What keeps the turn may have been rolled back, or removed, since its driver decided. */
  #holding(token: Token): Ticket<Payload> | null {
    return this.#holder?.token === token ? this.#holder : null;
  }

  #resumed(token: Token): void {
    const ticket = this.#holding(token);
    if (ticket === null || this.#phase === "leaving") return;
    this.#holder = null;
    this.#run(ticket);
  }

  #parked(token: Token, holdsTurn: boolean): void {
    const ticket = this.#holding(token);
    if (ticket === null) return;
    invariant(this.#isInInbox(ticket), "only what is durable is parked");
    this.#fail(ticket.waiters, "parked");
    this.#close(ticket);
    ticket.waiters = [];
    if (!holdsTurn) {
      this.#holder = null;
      return;
    }
    ticket.stage = "parked";
    if (ticket.id !== null) this.#byId.set(ticket.id, ticket);
  }

  #removed(token: Token): void {
    const ticket = this.#holding(token) ?? this.#waiting.find((other) => other.token === token && other.accepted === 0);
    if (ticket === undefined) return;
    this.#waiting = this.#waiting.filter((other) => other !== ticket);
    if (this.#holder === ticket) this.#holder = null;
    this.#end(ticket, "removed");
  }

  /** Accepted, and so durably that whatever becomes of this activation, the command will be done. */
  #isInInbox({ accepted }: Ticket<Payload>): boolean {
    return accepted !== null && accepted <= this.#durable;
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
    ticket.departures = none;
    ticket.stage = "executed";
    ticket.changed = changed;
    if (changed) this.#position += 1;
    ticket.position = this.#position;
    if (changed) this.#emit({ kind: "commit", position: this.#position, payload: ticket.payload });
    if (ticket.position <= this.#durable) this.#release(ticket);
    else this.#executed = added(this.#executed, ticket);
  }

  #shed(token: Token, attempt: number, reason: "shed" | "dropped"): void {
    const ticket = this.#runningAs(token, attempt);
    if (ticket === null) return;
    this.#running = null;
    this.#end(ticket, reason);
  }

  #depart(token: Token, attempt: number, departure: number): void {
    const ticket = this.#runningAs(token, attempt);
    if (ticket === null) return;
    // What the handler can have seen is whatever was executed before it got the turn.
    if (this.#position <= this.#durable) return void this.#emit({ kind: "departed", departure });
    mark("exit gate waits");
    ticket.departures = added(ticket.departures, departure);
  }

  #becameDurable(position: number): void {
    invariant(position <= this.#position, "only executed changes become durable");
    if (position <= this.#durable) return;
    this.#durable = position;
    let open = 0;
    while (open < this.#executed.length && this.#executed[open]!.position <= position) open += 1;
    for (const ticket of this.#executed.splice(0, open)) this.#release(ticket);
    const running = this.#running;
    for (const ticket of this.#executed) this.#announce(ticket);
    if (running !== null) this.#announce(running);
    if (this.#holder !== null) this.#announce(this.#holder);
    if (running !== null && running.departures.length > 0 && this.#position <= position) {
      for (const departure of running.departures) this.#emit({ kind: "departed", departure });
      running.departures = none;
    }
  }

  /** Tells those who wait for no more that it is accepted. */
  #announce(ticket: Ticket<Payload>): void {
    const tokens = this.#isInInbox(ticket) ? takeImpatient(ticket) : none;
    if (tokens.length === 0) return;
    for (const token of tokens) this.#byToken.delete(token);
    this.#emit({ kind: "accept", tokens, payload: ticket.payload });
  }

  #release(ticket: Ticket<Payload>): void {
    this.#emit({ kind: "release", token: ticket.token, tokens: ticket.waiters, payload: ticket.payload });
    this.#close(ticket);
  }

  /**
   * Everything executed after the durable position ran on a state that never was. The authors of the refused
   * changes fail, or run again one by one until the one bad change stands alone; the rest run again.
   */
  #rolledBack(through: number, culprit: boolean): void {
    const [executed, running, holder] = [this.#executed, this.#running, this.#holder];
    this.#position = this.#durable;
    this.#emit({ kind: "restore" });
    // A paused command that is in the inbox has seen only what is durable.
    const voided = holder === null || this.#isInInbox(holder) ? null : holder;
    this.#executed = [];
    this.#running = null;
    if (voided !== null) this.#holder = null;
    const open = [...executed, ...(running === null ? [] : [running]), ...(voided === null ? [] : [voided])];
    const authors = open.filter((ticket) => isAuthor(ticket, this.#durable, through));
    const blamed = !culprit || authors.length === 1;
    const again: Ticket<Payload>[] = [];
    for (const ticket of open) {
      const author = authors.includes(ticket);
      if (ticket === running) this.#emit({ kind: "abandon" });
      ticket.departures = none;
      if (author && this.#isInInbox(ticket) && this.#holder === null) this.#suspend(ticket, culprit && blamed);
      else if (author && blamed && !this.#isInInbox(ticket)) this.#end(ticket, "rolled-back");
      else if (ticket.waiters.length === 0 && !this.#isInInbox(ticket)) this.#close(ticket);
      else {
        if (author) ticket.alone = true;
        if (!this.#isInInbox(ticket)) ticket.accepted = null;
        ticket.stage = "waiting";
        again.push(ticket);
      }
    }
    if (again.length > 0) mark("runs again");
    this.#waiting = [...again, ...this.#waiting];
  }

  /** Accepted and not finished after all: it keeps the turn, and its driver decides what follows. */
  #suspend(ticket: Ticket<Payload>, blame: boolean): void {
    this.#hold(ticket);
    this.#emit({ kind: "suspend", token: ticket.token, payload: ticket.payload, blame });
    if (this.#phase === "leaving") this.#goElsewhere(ticket);
  }

  #leave(): void {
    if (this.#phase !== "active") return;
    this.#phase = "leaving";
    const running = this.#running;
    if (running !== null && running.accepted !== null) {
      this.#running = null;
      this.#emit({ kind: "abandon" });
      this.#hold(running);
    }
    if (this.#holder !== null) this.#goElsewhere(this.#holder);
    const [accepted, others] = byAcceptance(this.#waiting);
    this.#waiting = others;
    for (const ticket of accepted) this.#end(ticket, "dropped-unknown");
  }

  /** Whoever waits for it asks again, and finds it where the entity is then. */
  #goElsewhere(ticket: Ticket<Payload>): void {
    this.#fail(ticket.waiters, "dropped-unknown");
    for (const token of ticket.waiters) this.#byToken.delete(token);
    ticket.waiters = [];
    ticket.impatient = null;
  }

  #expire(token: Token): void {
    const ticket = this.#byToken.get(token);
    if (ticket === undefined) return;
    this.#byToken.delete(token);
    if (withoutCaller(ticket, token) === "rival") return this.#fail([token], "expired");
    const goesOn = ticket.waiters.length > 0 || ticket.stage === "executed" || ticket.accepted !== null;
    this.#fail([token], goesOn ? "expired-unknown" : "expired");
    if (goesOn) return;
    this.#looking.delete(ticket.token);
    if (ticket.stage === "waiting") this.#waiting = this.#waiting.filter((other) => other !== ticket);
    if (ticket.stage === "running") {
      mark("handler abandoned");
      this.#running = null;
      this.#emit({ kind: "abandon" });
    }
    this.#close(ticket);
    const [successor, ...others] = ticket.rivals;
    if (successor !== undefined) this.#open(successor);
    for (const other of others) this.#arrive(other);
  }

  #drop(unknownThrough: number): void {
    const running = this.#running;
    if (running !== null) this.#emit({ kind: "abandon" });
    for (const ticket of new Set(this.#byToken.values())) {
      const written = Math.max(this.#durable, unknownThrough);
      const accepted = ticket.accepted !== null && ticket.accepted <= written;
      const unknown = ticket.stage === "executed" && ticket.changed && ticket.position <= unknownThrough;
      if (unknown) mark("undurable dropped");
      this.#fail(callersOf(ticket), unknown || accepted ? "dropped-unknown" : "dropped");
    }
    this.#byToken.clear();
    this.#byId.clear();
    this.#waiting = [];
    this.#executed = [];
    this.#running = null;
    this.#holder = null;
    this.#looking.clear();
    this.#phase = "dropped";
  }

  #end(ticket: Ticket<Payload>, reason: FailReason): void {
    this.#fail(ticket.waiters, reason);
    this.#close(ticket);
  }

  #close(ticket: Ticket<Payload>): void {
    for (const token of ticket.waiters) this.#byToken.delete(token);
    for (const { token } of ticket.rivals) this.#byToken.delete(token);
    if (ticket.id !== null) this.#byId.delete(ticket.id);
  }

  #fail(tokens: readonly Token[], reason: FailReason): void {
    if (tokens.length > 0) this.#emit({ kind: "fail", tokens, reason });
  }
}
