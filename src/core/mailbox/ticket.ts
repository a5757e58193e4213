/** A command in the mailbox, with all who wait for it. */
import type { MailboxInput, Token } from "./messages.ts";

export type Arrival<Payload> = Extract<MailboxInput<Payload>, { kind: "arrive" }>;

export interface Ticket<Payload> {
  readonly payload: Payload;
  /** The first caller; names the ticket. */
  readonly token: Token;
  readonly id: string | null;
  readonly inputHash: string | null;
  /** Callers who wait for this command: the first one and copies that joined. Empty: all have gone. */
  waiters: Token[];
  /** Arrivals with the same id and another input: until the lookup ends, nobody knows which input is the first. */
  rivals: Arrival<Payload>[];
  /** Of those who wait, who waits for the acceptance only; null while nobody does. */
  impatient: Set<Token> | null;
  /** `paused` and `parked`: an accepted command that keeps the turn and does not run. */
  stage: "looking" | "waiting" | "running" | "executed" | "paused" | "parked";
  /** The position of its acceptance; 0 for one that was found in the inbox, null for one that was not accepted. */
  accepted: number | null;
  attempt: number;
  /** Run with nothing undurable around, so that a refused change has one author. */
  alone: boolean;
  changed: boolean;
  /** The last change that this command could have seen, its own included. */
  position: number;
  departures: number[];
}

/** An empty list that is the same for all who have none. */
export const none: never[] = [];
Object.freeze(none);

export function callersOf<Payload>({ waiters, rivals }: Ticket<Payload>): Token[] {
  return [...waiters, ...rivals.map(({ token }) => token)];
}

export function newTicket<Payload>(
  { token, id, inputHash, payload }: Pick<Ticket<Payload>, "token" | "id" | "inputHash" | "payload">,
  waiters: Token[],
): Ticket<Payload> {
  return {
    token,
    id,
    inputHash,
    payload,
    waiters,
    rivals: none,
    impatient: null,
    stage: "waiting",
    accepted: null,
    attempt: 0,
    alone: false,
    changed: false,
    position: 0,
    departures: none,
  };
}

/** Who waits for the ticket waits for its acceptance only. */
export function beImpatient<Payload>(ticket: Ticket<Payload>, token: Token): void {
  ticket.impatient ??= new Set();
  ticket.impatient.add(token);
}

/** Takes out those who wait for the acceptance only. */
export function takeImpatient<Payload>(ticket: Ticket<Payload>): Token[] {
  const { impatient, waiters } = ticket;
  if (impatient === null) return [];
  ticket.impatient = null;
  ticket.waiters = waiters.filter((token) => !impatient.has(token));
  return waiters.filter((token) => impatient.has(token));
}

/** Takes out one who does not wait any more; says as what it was there. */
export function withoutCaller<Payload>(ticket: Ticket<Payload>, token: Token): "rival" | "waiter" {
  if (ticket.rivals.some((rival) => rival.token === token)) {
    ticket.rivals = ticket.rivals.filter((rival) => rival.token !== token);
    return "rival";
  }
  ticket.waiters = ticket.waiters.filter((waiter) => waiter !== token);
  ticket.impatient?.delete(token);
  return "waiter";
}

/** Whether a change up to the position `through`, which is not durable, is its doing. */
export function isAuthor<Payload>(ticket: Ticket<Payload>, durable: number, through: number): boolean {
  const { stage, changed, position, accepted } = ticket;
  if (accepted !== null && accepted > durable && accepted <= through) return true;
  return stage === "executed" && changed && position <= through;
}

/** Those that were accepted, and the others. */
export function byAcceptance<Payload>(
  tickets: readonly Ticket<Payload>[],
): [accepted: Ticket<Payload>[], others: Ticket<Payload>[]] {
  return [tickets.filter(({ accepted }) => accepted !== null), tickets.filter(({ accepted }) => accepted === null)];
}
